package jsbridge

import (
	"fmt"
	"testing"
)

// reconnecting logs the events of a task that reconnects after a millisecond
// or less, and its state in each; onceAway acts as a page that is away.
const reconnecting = `
	const connect = (query, reconnect, option) => {
		const task = connectSocket({ url: echo(query), reconnect: { minDelay: 1, ...reconnect }, ...option });
		const short = ({ errMsg }) => errMsg.replace(/"ws.*" /, '');
		task.onOpen(({ reconnected }) => log.push('open ' + reconnected + ' ' + task.readyState));
		task.onError((res) => log.push('error ' + short(res) + ' ' + task.readyState));
		task.onMessage(note('message'));
		task.onClose((res) => log.push('close ' + tell(res) + ' ' + task.readyState));
		return task;
	};
	const away = (owner, name, value) => {
		Object.defineProperty(owner, name, { value, configurable: true });
		return (event) => {
			delete owner[name];
			(name === 'onLine' ? globalThis : owner).dispatchEvent(new Event(event));
		};
	};`

func TestReconnectAfterClose(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1011&reason=restart', { retries: 2 });
		const id = (await task).socketTaskId;
		await closed(task);
		log.push(String(id === task.socketTaskId), await outcome(task.send({ data: 'x' })));
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 restart 0",
		"open 1 1", "error connectSocket:fail WebSocket connection to was closed with 1011 restart 0",
		`open 2 1`, `close 1011 "restart" 3`,
		"true", "rejected SocketTask.send:fail SocketTask.readyState is not OPEN",
	)
}

func TestReconnectAfterLoss(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1006&after=1', { retries: 1 });
		await opened(task);
		task.send({ data: 'a' });
		await new Promise((resolve) => task.onOpen(({ reconnected }) => reconnected && resolve()));
		task.send({ data: 'b' });
		await closed(task);
		return log;`,
		"open undefined 1", `message "a"`, "error connectSocket:fail WebSocket connection to was lost 0",
		"open 1 1", `message "b"`, "error connectSocket:fail WebSocket connection to was lost 3",
		`close 1006 "" unclean 3`,
	)
}

func TestReconnectAfterRefusalAndTimeout(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		await closed(connect('status=503', { retries: 1 }));
		await closed(connect('delay=5s', { retries: 1 }, { timeout: 20 }));
		return log;`,
		"error connectSocket:fail WebSocket connection to failed 0",
		"error connectSocket:fail WebSocket connection to failed 3", `close 1006 "" unclean 3`,
		"error connectSocket:fail timeout 0",
		"error connectSocket:fail timeout 2", `close 1006 "" unclean 3`,
	)
}

func TestNoReconnect(t *testing.T) {
	for _, c := range []struct{ name, query, reconnect, want string }{
		{"1000", "code=1000", "{}", `close 1000 "" 3`},
		{"1008", "code=1008", "{}", `close 1008 "" 3`},
		{"4000", "code=4000", "{}", `close 4000 "" 3`},
		{"4999", "code=4999", "{}", `close 4999 "" 3`},
		{"no retries", "code=1011", "{ retries: 0 }", `close 1011 "" 3`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), reconnecting+`
				await closed(connect('`+c.query+`', `+c.reconnect+`));
				await sleep(30);
				return log;`,
				"open undefined 1", c.want)
		})
	}
}

func TestCloseBetweenAttempts(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1 })"), reconnecting+`
		const task = connect('code=1011', { minDelay: 60000, jitter: 0 });
		await new Promise((resolve) => task.onError(resolve));
		await sleep(10);
		log.push(await outcome(connectSocket({ url: echo() }))); // the slot is still its own
		const end = closed(task);
		const { errMsg } = await task.close({ code: 4000 });
		log.push(errMsg + ' ' + task.readyState);
		await end;
		await opened(connectSocket({ url: echo() }));
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0",
		"rejected connectSocket:fail exceed max concurrent count 1",
		"closeSocket:ok 2", `close 1006 "" unclean 3`,
	)
}

func TestCloseWithinTheErrorOfALoss(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1011', {});
		task.onError(() => task.close());
		await closed(task);
		const lost = connect('code=1006&after=1', {});
		lost.onOpen(() => lost.send({ data: 'x' }));
		lost.onError(() => lost.close());
		await closed(lost);
		await sleep(30);
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0", `close 1006 "" unclean 3`,
		"open undefined 1", `message "x"`, "error connectSocket:fail WebSocket connection to was lost 0", `close 1006 "" unclean 3`,
	)
}

// There is no WebSocket then: that of the attempt before does not count.
func TestStateWhileOptionIsAsked(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		let asked;
		const wait = new Promise((resolve) => { asked = resolve; });
		const task = connect('code=1011', { option: () => { asked(); return new Promise(() => {}); } });
		await wait;
		await sleep(10);
		log.push(String(task.readyState));
		const end = closed(task);
		await task.close();
		log.push(String(task.readyState));
		await end;
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0",
		"0", "2", `close 1006 "" unclean 3`,
	)
}

func TestReplaceOneBetweenAttempts(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1, onLimit: 'replace' })"), reconnecting+`
		const task = connect('code=1011', { minDelay: 60000, jitter: 0 });
		await new Promise((resolve) => task.onError(resolve));
		await sleep(10);
		const next = connectSocket({ url: echo() });
		await closed(task);
		await opened(next);
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0", `close 1006 "" unclean 3`,
	)
}

func TestNoAttemptWhileAway(t *testing.T) {
	for _, c := range []struct{ name, leave, event string }{
		{"offline", `away(navigator, 'onLine', false)`, "online"},
		{"hidden", `away(document, 'visibilityState', 'hidden')`, "visibilitychange"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), reconnecting+`
				const task = connect('code=1011&after=1', {});
				await opened(task);
				const back = `+c.leave+`;
				try {
					task.send({ data: 'x' });
					await new Promise((resolve) => task.onError(resolve));
					await sleep(50);
					log.push('away ' + task.readyState);
					dispatchEvent(new Event('online')); // of no use yet
					await sleep(50);
					log.push('still away ' + task.readyState);
				} finally {
					back('`+c.event+`');
				}
				await new Promise((resolve) => task.onOpen(({ reconnected }) => reconnected && resolve()));
				const end = closed(task);
				task.close();
				await end;
				return log;`,
				"open undefined 1", `message "x"`, "error connectSocket:fail WebSocket connection to was closed with 1011 0",
				"away 0", "still away 0", "open 1 1", `close 1000 "" 3`,
			)
		})
	}
}

func TestClosedWhileAway(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1011', {});
		await opened(task);
		const back = away(navigator, 'onLine', false);
		try {
			await new Promise((resolve) => task.onError(resolve));
			await sleep(50);
			const end = closed(task);
			task.close();
			await end;
		} finally {
			back('online');
		}
		await sleep(30);
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0", `close 1006 "" unclean 3`,
	)
}

// A page may close a task because it is back: that is no end of the pause.
func TestClosedOnComingBack(t *testing.T) {
	for _, c := range []struct{ leave, event string }{
		{`away(navigator, 'onLine', false)`, "online"},
		{`away(document, 'visibilityState', 'hidden')`, "visibilitychange"},
	} {
		t.Run(c.event, func(t *testing.T) {
			expect(t, newPage(t, ""), reconnecting+`
				const task = connect('code=1011&after=1', {});
				await opened(task);
				const back = `+c.leave+`;
				task.send({ data: 'x' });
				await new Promise((resolve) => task.onError(resolve));
				await sleep(50);
				const end = closed(task);
				task.close();
				back('`+c.event+`');
				await end;
				return log;`,
				"open undefined 1", `message "x"`, "error connectSocket:fail WebSocket connection to was closed with 1011 0",
				`close 1006 "" unclean 3`,
			)
		})
	}
}

func TestReconnectThroughTheRelay(t *testing.T) {
	expect(t, newPage(t, relayed), fakeRelay+`
		const promise = call({ reconnect: { minDelay: 1, retries: 1 } });
		await accept(promise);
		promise.ws.tell('{"open":true,"protocol":"b"}');
		const first = promise.ws;
		first.readyState = 3;
		first.dispatchEvent(new CloseEvent('close', { code: 1006 }));
		while (promise.ws === first) await sleep(1);
		log.push([promise.readyState, promise.protocol].join());
		promise.ws.tell = (data) => promise.ws.dispatchEvent(new MessageEvent('message', { data }));
		await accept(promise);
		promise.ws.tell('{"open":false,"errMsg":"connectSocket:fail upstream answered 503"}');
		log.push(String(sent.length), String(sent[0] === sent[1]));
		restore();
		return log;`,
		"open {}",
		`error connectSocket:fail WebSocket connection to "ws://upstream" was lost`,
		"0,",
		"error connectSocket:fail upstream answered 503",
		`close 1006 "" unclean`,
		"2", "true",
	)
}

// If the constructor throws at a later attempt, that attempt has failed.
func TestReconnectIsThrownAt(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const { WebSocket } = globalThis;
		const task = connect('code=1011', { retries: 1 });
		await opened(task);
		globalThis.WebSocket = class { constructor() { throw new DOMException('no', 'SecurityError'); } };
		await closed(task);
		globalThis.WebSocket = WebSocket;
		return log;`,
		"open undefined 1", "error connectSocket:fail WebSocket connection to was closed with 1011 0",
		"error connectSocket:fail SecurityError: no 3", `close 1006 "" unclean 3`,
	)
}

func TestReconnectOption(t *testing.T) {
	const refusal = "rejected connectSocket:fail parameter error: "
	for _, c := range []struct{ reconnect, want string }{
		{"true", "resolved connectSocket:ok"},
		{"false", "resolved connectSocket:ok"},
		{"null", "resolved connectSocket:ok"},
		{"{}", "resolved connectSocket:ok"},
		{"{ retries: Infinity, minDelay: 0, maxDelay: undefined, factor: 1, jitter: 0 }", "resolved connectSocket:ok"},
		{"1", refusal + "parameter.reconnect should be Boolean or Object instead of Number"},
		{"[]", refusal + "parameter.reconnect should be Boolean or Object instead of Array"},
		{"{ retries: '3' }", refusal + "parameter.reconnect.retries should be Number instead of String"},
		{"{ retries: -1 }", refusal + "parameter.reconnect.retries should be at least 0"},
		{"{ jitter: 2 }", refusal + "parameter.reconnect.jitter should be from 0 to 1"},
		{"{ get factor() { throw 1; } }", refusal + "reading parameter.reconnect.factor threw 1"},
	} {
		t.Run(c.reconnect, func(t *testing.T) {
			expect(t, newPage(t, ""), `return [await outcome(connectSocket({ url: echo(), reconnect: `+c.reconnect+` }))];`, c.want)
		})
	}
}

// The handlers of the global functions follow the task, too.
func TestReconnectAndTheFamily(t *testing.T) {
	expect(t, newPage(t, ""), `
		let opens = 0;
		const end = new Promise((resolve) => onSocketClose(resolve));
		onSocketOpen(({ reconnected }) => log.push('open ' + reconnected));
		onSocketError(() => log.push('error'));
		await connectSocket({ url: echo('code=1011'), reconnect: { minDelay: 1, retries: 1 } });
		log.push(tell(await end));
		return log;`,
		"open undefined", "error", "open 1", `1011 ""`)
}

// An attempt that has failed before the module runs is followed by another all
// the same.
func TestReconnectBeforeTheModuleRuns(t *testing.T) {
	p := newWaitingPage(t, "")
	expect(t, p, `
		const task = connectSocket({ url: echo('status=503'), reconnect: true });
		kept.errors = new Promise((resolve) => {
			let errors = 0;
			task.onError((res) => {
				note('error')(res);
				if (++errors === 2) resolve();
			});
		});
		kept.task = task;
		await new Promise((resolve) => task.ws.addEventListener('close', resolve));
		return log;`)
	p.start(t)
	const failed = `error connectSocket:fail WebSocket connection to "%s?status=503" failed`
	expect(t, p, `
		await kept.errors;
		kept.task.close();
		await closed(kept.task);
		return log;`,
		fmt.Sprintf(failed, server), fmt.Sprintf(failed, server))
}

// Only a call that the Go half is sure to accept opens its WebSocket early.
func TestNoEarlyAttemptThatMayBeRefused(t *testing.T) {
	p := newWaitingPage(t, "({ domains: ['ws://a.example'] })")
	expect(t, p, `
		const opened = (option) => {
			kept.calls ??= [];
			kept.calls.push(connectSocket({ url: 'ws://a.example', fail() {}, ...option }));
			return String(kept.calls.at(-1).ws !== null);
		};
		return [
			opened({ reconnect: { retries: -1 } }), opened({ reconnect: { jitter: 2 } }), opened({ reconnect: 1 }),
			opened({ url: 'ws://b.example' }), opened({ url: 'ftp://a.example' }), opened({ protocols: 1 }),
			opened({ reconnect: true }), opened({ reconnect: {} }),
		];`,
		"false", "false", "false", "false", "false", "false", "true", "true")
	p.start(t)
	expect(t, p, `return [(await Promise.all(kept.calls.map(outcome))).filter((line) => line === 'resolved connectSocket:ok').length + ' accepted'];`,
		"2 accepted")
}
