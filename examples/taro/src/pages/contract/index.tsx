import { View } from '@tarojs/components';
import { useEffect, useState } from 'react';
import { probes } from './probes';

/** Runs the probes, one after the other, and shows what each has seen. */
export default function Contract() {
  const [seen, setSeen] = useState<string[]>([]);

  useEffect(() => {
    void (async () => {
      for (const probe of probes) {
        const words = await probe.run().catch((error) => `failed: ${error?.errMsg ?? error}`);
        setSeen((before) => [...before, words]);
      }
    })();
  }, []);

  return (
    <View className={seen.length === probes.length ? 'done' : ''}>
      {seen.map((words, i) => (
        <View key={probes[i].name} className="probe">
          <View>{probes[i].name}</View>
          <View>{words}</View>
        </View>
      ))}
    </View>
  );
}
