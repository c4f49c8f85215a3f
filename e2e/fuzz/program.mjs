/** Programs, and how they are made at random. */
import fc from 'fast-check';
import { kinds } from './model.mjs';
import { headers, heartbeats, hostile, protocols, reconnects, sendable, thrown } from './values.mjs';

/** @import { Arbitrary } from 'fast-check' */
/** @import { Kind } from './model.mjs' */

/**
 * A field of an option: a value that JSON has, a number in words, the name of one of values.mjs, what reading it throws,
 * or a callback. What its getter does comes before.
 *
 * @typedef {{ is?: string | number | null, number?: string, v?: string, throws?: string, f?: Callback, ops?: Op[] }} Field
 */

/**
 * An option: a hostile value as a whole, or fields, in an object of a shape.
 *
 * @typedef {{ whole?: string, shape?: string, fields?: Record<string, Field> }} Option
 */

/**
 * A callback or handler: which of a few functions it is, what it does when it is first called, and what it throws. A
 * handler for once takes itself off.
 *
 * @typedef {{ name?: number, v?: string, ops?: Op[], throws?: string, once?: boolean }} Callback
 */

/**
 * A call of the API, on the task of a number, where there are so many.
 *
 * @typedef {object} Op
 * @property {'connect' | 'send' | 'close' | 'on' | 'off' | 'read'} do
 * @property {string} [via] connectSocket, connectTask or family; task, promise or family
 * @property {number} [task]
 * @property {Option} [option]
 * @property {boolean} [watched] whether anybody looks at the promise
 * @property {Kind} [kind]
 * @property {Callback} [handler] none: all that an off takes off
 */

/**
 * A turn of the event loop: calls, or one thing that happens to a socket, to the module or to time.
 *
 * @typedef {{ ops?: Op[], net?: string, socket?: number, [detail: string]: any }} Turn
 */

/**
 * @typedef {object} Program
 * @property {string} realm whose settings the module has: see realms.mjs
 * @property {boolean} [own] whether it has a frame of its own, in which global functions may register handlers for good
 * @property {boolean} [early] whether it begins before the module runs
 * @property {Turn[]} turns
 */

/** @param {Array<[number, Arbitrary<any>]>} choices with weights */
const weighted = (choices) => fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

/** @param {object} values */
const nameOf = (values) => fc.constantFrom(...Object.keys(values));
const is = (/** @type {Array<string | number | null>} */ ...values) =>
  fc.constantFrom(...values).map((is) => ({ is }));
const hostileValue = fc.record({ v: nameOf(hostile) });
const nonFunction = fc
  .constantFrom(...Object.keys(hostile).filter((name) => hostile[name][1] !== 'Function'))
  .map((v) => ({ v }));
const throwing = fc.record({ throws: nameOf(thrown) });
const shape = fc.constantFrom('plain', 'plain', 'proxy', 'frozen', 'inherited', 'null prototype');
const number = fc.nat({ max: 7 });

const url = weighted([
  [30, is('ws://fuzz.example/')],
  [
    4,
    is(
      'wss://fuzz.example:8443/path?query',
      'WS://Fuzz.Example/',
      'ws://fuzz.example/#fragment',
      ' ws://fuzz.example/ ',
    ),
  ],
  [
    2,
    is(
      '',
      'ws:',
      'wss://',
      'ws://[',
      'ws://a b/',
      'ws://other.example:99999/',
      'fuzz.example',
      '//fuzz.example',
    ),
  ],
  [
    2,
    is(
      'http://fuzz.example/',
      'javascript:alert(1)',
      'blob:ws://fuzz.example/',
      'http://\ud800"/',
      'ws://other.example/',
    ),
  ],
]);
const timeout = weighted([
  [3, is(10, 100, 1000)],
  [2, is(0, -1, 0.5, 2 ** 31, 2 ** 40, '10')],
  [1, fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0').map((number) => ({ number }))],
]);
const heartbeat = weighted([
  [3, fc.constantFrom('short', 'by default').map((v) => ({ v }))],
  [1, fc.record({ v: nameOf(heartbeats) })],
]);
const reconnecting = fc
  .constantFrom('true', 'twice', 'at once', 'while hidden', 'ticket', 'late ticket', 'failing tickets')
  .map((v) => ({ v }));
const reconnect = weighted([
  [3, reconnecting],
  [1, fc.record({ v: nameOf(reconnects) })],
]);
const code = weighted([
  [4, is(1000, 3000, 4999)],
  [3, is(0, -1, 999, 1001, 1005, 2999, 5000, 1000.5, 2 ** 31, 2 ** 53, '1000', null)],
  [1, fc.constantFrom('NaN', 'Infinity', '-0').map((number) => ({ number }))],
]);
const reason = weighted([
  [4, is('', 'done', 'ende – 終', 'ü'.repeat(61))],
  [2, is('ü'.repeat(62), 'x'.repeat(124), 1000, null)],
]);
const data = weighted([
  [6, fc.record({ v: nameOf(sendable) })],
  [2, is('', 'text', 5, null)],
  [2, hostileValue],
]);

/**
 * Fields with values of their kind, wrong ones at times, and getters that throw or call back in.
 *
 * @param {Record<string, [number, Arbitrary<Field>]>} arbitraries with a weight: of 20, how often it is there
 * @param {Arbitrary<Op[]>} ops
 * @returns {Arbitrary<Record<string, Field>>}
 */
function fields(arbitraries, ops) {
  const model = Object.entries(arbitraries).map(([name, [weight, arbitrary]]) => {
    const getter = fc.tuple(arbitrary, ops).map(([field, ops]) => ({ ...field, ops }));
    const any = weighted([
      [30, arbitrary],
      [1, throwing],
      [1, getter],
    ]);
    return [
      name,
      weighted([
        [weight, any],
        [20 - weight, fc.constant(undefined)],
      ]),
    ];
  });
  return fc
    .record(Object.fromEntries(model))
    .map((record) => Object.fromEntries(Object.entries(record).filter(([, field]) => field)));
}

/**
 * @param {Record<string, [number, Arbitrary<Field>]>} arbitraries
 * @param {Arbitrary<Callback>} callback
 * @param {Arbitrary<Op[]>} ops
 * @returns {Arbitrary<Option>}
 */
function option(arbitraries, callback, ops) {
  /** @type {[number, Arbitrary<Field>]} */
  const called = [
    5,
    weighted([
      [12, callback.map((f) => ({ f }))],
      [1, nonFunction],
    ]),
  ];
  return weighted([
    [
      24,
      fc.record({
        shape,
        fields: fields({ ...arbitraries, success: called, fail: called, complete: called }, ops),
      }),
    ],
    [1, fc.record({ whole: nameOf(hostile) })],
  ]);
}

/**
 * Calls, whose callbacks make calls down to a depth.
 *
 * @param {number} depth
 * @param {boolean} global whether handlers are registered by global functions
 * @returns {Arbitrary<Op>}
 */
function op(depth, global) {
  /** @type {Arbitrary<Op[]>} */
  const ops = depth > 0 ? fc.array(op(depth - 1, global), { minLength: 1, maxLength: 2 }) : fc.constant([]);
  /** @type {Arbitrary<Callback>} */
  const callback = weighted([
    [6, fc.record({ name: fc.nat({ max: 2 }) })],
    [1, fc.record({ name: fc.nat({ max: 2 }), throws: nameOf(thrown) })],
    ...(depth > 0
      ? /** @type {Array<[number, Arbitrary<Callback>]>} */ ([
          [2, fc.record({ name: fc.nat({ max: 2 }), ops })],
          [1, fc.record({ name: fc.nat({ max: 2 }), ops, throws: nameOf(thrown) })],
        ])
      : []),
  ]);
  const handler = weighted([
    [12, callback],
    [4, callback.map((each) => ({ ...each, once: true }))],
    [1, nonFunction],
  ]);
  const known = weighted([
    [6, fc.record({ name: fc.nat({ max: 2 }) })],
    [3, fc.constant(undefined)],
    [1, hostileValue],
  ]);
  const kind = fc.constantFrom(...kinds);
  const off = fc.constant(/** @type {const} */ ('off'));
  const on = fc.constant(/** @type {const} */ ('on'));
  const via = weighted([
    [8, fc.constantFrom('task', 'promise')],
    [1, fc.constant('family')],
  ]);
  const watched = weighted([
    [4, fc.constant(true)],
    [1, fc.constant(false)],
  ]);
  const connectOption = option(
    {
      url: [
        19,
        weighted([
          [40, url],
          [1, hostileValue],
        ]),
      ],
      header: [2, fc.record({ v: nameOf(headers) })],
      protocols: [2, fc.record({ v: nameOf(protocols) })],
      reconnect: [5, reconnect],
      heartbeat: [5, heartbeat],
      timeout: [4, timeout],
      relay: [1, hostileValue],
      tcpNoDelay: [1, hostileValue],
      perMessageDeflate: [1, hostileValue],
      forceCellularNetwork: [1, hostileValue],
    },
    callback,
    ops,
  );
  return weighted(
    /** @type {Array<[number, Arbitrary<Op>]>} */ ([
      [
        5,
        fc.record({
          do: fc.constant('connect'),
          via: fc.constantFrom('connectSocket', 'connectSocket', 'family', 'connectTask'),
          watched,
          option: connectOption,
        }),
      ],
      [
        8,
        fc.record({
          do: on,
          task: number,
          via: fc.constantFrom('task', 'promise'),
          kind,
          handler,
        }),
      ],
      [
        2,
        fc.record({ do: off, task: number, via: fc.constantFrom('task', 'promise'), kind, handler: known }),
      ],
      [global ? 2 : 0, fc.record({ do: on, via: fc.constant('family'), kind, handler })],
      [global ? 1 : 0, fc.record({ do: off, via: fc.constant('family'), kind, handler: known })],
      [
        4,
        fc.record({
          do: fc.constant('send'),
          task: number,
          via,
          watched,
          option: option({ data: [19, data] }, callback, ops),
        }),
      ],
      [
        3,
        fc.record({
          do: fc.constant('close'),
          task: number,
          via,
          watched,
          option: option({ code: [8, code], reason: [6, reason] }, callback, ops),
        }),
      ],
      [1, fc.record({ do: fc.constant('read'), task: number })],
    ]),
  );
}

const flag = fc.boolean();
const accept = fc.record({ net: fc.constant('accept'), socket: number, negotiates: flag });
const drop = fc.record({ net: fc.constant('drop'), socket: number, tells: flag });
const closeWith = (/** @type {number[]} */ ...codes) =>
  fc.record({
    net: fc.constant('close'),
    socket: number,
    code: fc.constantFrom(...codes),
    reason: fc.constantFrom('', 'away'),
  });
const waitFor = (/** @type {number[]} */ ...ms) =>
  fc.record({ net: fc.constant('wait'), ms: fc.constantFrom(...ms) });
const presence = fc.record({ net: fc.constant('presence'), online: flag, visible: flag });
/** @type {Arbitrary<Turn>} */
const happening = weighted(
  /** @type {Array<[number, Arbitrary<Turn>]>} */ ([
    [8, accept],
    [6, fc.record({ net: fc.constant('text'), socket: number, size: fc.constantFrom(0, 1, 20, 65) })],
    [3, fc.record({ net: fc.constant('binary'), socket: number, size: fc.constantFrom(0, 1, 20, 65) })],
    [1, fc.record({ net: fc.constant('refuse'), socket: number, tells: flag })],
    [2, drop],
    [1, fc.record({ net: fc.constant('leave'), socket: number })],
    [3, closeWith(1000, 1001, 1005, 3000, 4999)],
    [1, fc.record({ net: fc.constant('block'), socket: number })],
    [2, waitFor(20, 200, 1000, 2000, 6000, 70_000, 2 ** 32)],
    [1, presence],
    [2, fc.record({ net: fc.constant('start') })],
  ]),
);

/** @param {boolean} global */
const turns = (global) =>
  fc.array(
    weighted([
      [1, fc.record({ ops: fc.array(op(2, global), { minLength: 1, maxLength: 4 }) })],
      [1, happening],
    ]),
    { minLength: 1, maxLength: 14, size: 'max' },
  );

const realm = weighted([
  [3, fc.constant('default')],
  [2, fc.constant('small')],
  [1, fc.constant('strict')],
]);

/** @type {Op} */
const connect = {
  ...{ do: 'connect', via: 'connectSocket', watched: true },
  option: { shape: 'plain', fields: { url: { is: 'ws://fuzz.example/' } } },
};
/** A task that is open, and loses its connection again and again, with handlers or without. @type {Arbitrary<Turn[]>} */
const losses = fc
  .record({
    field: reconnecting,
    timeout: fc.constantFrom(10, 60_000),
    listens: flag,
    rest: fc.array(
      weighted([
        [3, accept],
        [1, drop],
        [1, closeWith(1001, 1005, 3000)],
        [3, waitFor(20, 160, 760, 1520, 6000, 70_000)],
        [2, presence],
      ]),
      { minLength: 3, maxLength: 12, size: 'max' },
    ),
  })
  .map(({ field, timeout, listens, rest }) => {
    const fields = { url: { is: 'ws://fuzz.example/' }, reconnect: field, timeout: { is: timeout } };
    /** @type {Op[]} */
    const listening = kinds.map((kind) => ({ do: 'on', task: 0, via: 'task', kind, handler: { name: 0 } }));
    const ops = [{ ...connect, option: { shape: 'plain', fields } }, ...(listens ? listening : [])];
    return [{ ops }, { net: 'accept', socket: 0 }, { net: 'drop', socket: 0 }, ...rest];
  });
/** @type {Turn[]} two open tasks: which of them the global functions are for is at issue then */
const pair = [{ ops: [connect, connect] }, { net: 'accept', socket: 0 }, { net: 'accept', socket: 1 }];

/**
 * Programs. Those that need a frame of their own are few: it takes longer than they do.
 *
 * @type {Arbitrary<Program>}
 */
export const programs = weighted([
  [32, fc.record({ realm, turns: turns(false) })],
  [6, fc.record({ realm, turns: fc.tuple(losses, turns(false)).map((both) => both.flat()) })],
  [2, fc.record({ realm, turns: turns(true).map((rest) => [...pair, ...rest]), own: fc.constant(true) })],
  [1, fc.record({ realm, turns: turns(true), own: fc.constant(true), early: fc.constant(true) })],
]);
