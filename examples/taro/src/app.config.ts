export default defineAppConfig({
  pages: ['pages/index/index', 'pages/contract/index'],
  window: { navigationBarTitleText: 'connectsocket' },
});
