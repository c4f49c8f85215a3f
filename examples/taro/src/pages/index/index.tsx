import { Button, Input, View } from '@tarojs/components';
import Taro from '@tarojs/taro';
import { useEffect, useRef, useState } from 'react';
import { server } from '../../server';

/** Sends what is typed and shows what comes back. */
export default function Index() {
  const task = useRef<Taro.SocketTask>();
  const [text, setText] = useState('');
  const [lines, setLines] = useState<string[]>([]);

  useEffect(() => {
    const show = (line: string) => setLines((before) => [...before, line]);
    const connecting = Taro.connectSocket({ url: server });
    connecting.then(
      (it) => {
        task.current = it;
        it.onOpen(() => show('open'));
        it.onMessage(({ data }) => show(`message: ${data}`));
        it.onError(({ errMsg }) => show(`error: ${errMsg}`));
        it.onClose(({ code, reason }) => show(`close: ${code} ${reason}`));
      },
      ({ errMsg }) => show(errMsg),
    );
    return () => {
      connecting.then((it) => it.close({}));
    };
  }, []);

  return (
    <View>
      <Input value={text} onInput={({ detail }) => setText(detail.value)} />
      <Button onClick={() => task.current?.send({ data: text })}>Send</Button>
      <Button onClick={() => task.current?.close({ code: 4000, reason: 'done' })}>Close</Button>
      <View className="log" style={{ whiteSpace: 'pre-line' }}>
        {lines.join('\n')}
      </View>
    </View>
  );
}
