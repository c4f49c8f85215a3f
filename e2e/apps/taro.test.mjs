/** Taro 4, with both of its runners. */
import { testTaro } from './taro.mjs';

testTaro('taro', { webpack5: [{}, { NO_PREBUNDLE: '1' }], vite: [{}] });
