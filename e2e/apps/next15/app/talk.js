'use client';

import { connectSocket } from 'connectsocket';
import { useEffect, useState } from 'react';

// Rendered on the server too, where the import must be harmless.
export default function Talk({ server }) {
  const [text, setText] = useState('');
  useEffect(() => {
    const task = connectSocket({ url: server, fail: ({ errMsg }) => setText(errMsg) });
    task.onOpen(() => task.send({ data: 'from the page' }));
    task.onMessage(({ data }) => setText(data));
    task.onError(({ errMsg }) => setText(errMsg));
    return () => task.close();
  }, [server]);
  return <output data-kind={typeof connectSocket}>{text}</output>;
}
