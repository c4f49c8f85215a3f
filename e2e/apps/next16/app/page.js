import Talk from './talk';

// Rendered for each request, as a page that looks at its query is.
export default async function Page({ searchParams }) {
  const { server } = await searchParams;
  return <Talk server={server ?? ''} />;
}
