package jsbridge

import "testing"

// silentServer is a WebSocket whose peer opens and then says only what the test
// has it say.
const silentServer = `
	const { WebSocket } = globalThis;
	const sockets = [];
	globalThis.WebSocket = class extends EventTarget {
		readyState = 0;
		protocol = '';
		bufferedAmount = 0;
		sent = [];
		constructor(url, protocols) {
			super();
			this.url = url;
			this.protocols = protocols;
			sockets.push(this);
			setTimeout(() => {
				this.readyState = 1;
				this.dispatchEvent(new Event('open'));
			});
		}
		send(data) {
			this.sent.push(data);
			this.onsend?.(data);
		}
		close() {
			this.readyState = 2; // and the peer never answers
		}
		say(data) {
			this.dispatchEvent(new MessageEvent('message', { data }));
		}
	};
	const restore = () => (globalThis.WebSocket = WebSocket);
	const until = async (condition) => {
		for (let i = 0; i < 2000 && !condition(); i++) await sleep(5);
		if (!condition()) throw new Error('still not: ' + condition);
	};`

func TestHeartbeatIsSentAndAnswered(t *testing.T) {
	expect(t, newPage(t, ""), `
		let beats = 0;
		const heartbeat = { interval: 40, timeout: 20_000, message: () => 'beat ' + ++beats };
		const task = connectSocket({ url: echo(), heartbeat });
		const answers = [];
		task.onMessage(({ data }) => answers.push(data));
		task.onError(note('error'));
		while (answers.length < 3) await sleep(5);
		const end = closed(task);
		task.close();
		await end;
		const { length } = answers;
		await sleep(150);
		return [...answers.slice(0, 3), String(beats === length)];`,
		"beat 1", "beat 2", "beat 3", "true")
}

func TestSilentConnection(t *testing.T) {
	const silent = "connectSocket:fail the connection is lost: nothing was received after a heartbeat"
	expect(t, newPage(t, ""), silentServer+`
		const task = connectSocket({ url: 'ws://a', heartbeat: { interval: 30, timeout: 30, message: 'are you there?' } });
		await watch(task);
		restore();
		return [...log, ...sockets[0].sent, String(sockets[0].readyState), String(task.readyState)];`,
		"open {}", "error "+silent, `close 1006 "" unclean`, "are you there?", "2", "3")
}

func TestSilentConnectionReconnects(t *testing.T) {
	expect(t, newPage(t, ""), silentServer+`
		const task = connectSocket({
			url: 'ws://a',
			heartbeat: { interval: 30, timeout: 30, message: new Uint8Array([1]) },
			reconnect: { minDelay: 1, retries: 1 },
		});
		task.onOpen(({ reconnected }) => log.push('open ' + reconnected));
		await closed(task);
		sockets[0].say('too late');
		restore();
		return [...log, sockets.length + ' connections', sockets[0].sent[0].constructor.name];`,
		"open undefined", "open 1", "2 connections", "Uint8Array")
}

// Any message is life, and a message that cannot be had is not sent: the error
// is reported, and silence decides.
func TestHeartbeatThatThrows(t *testing.T) {
	for _, message := range []string{`() => { throw new Error('no'); }`, `() => 1`} {
		t.Run(message, func(t *testing.T) {
			expect(t, newPage(t, ""), silentServer+`
				const task = connectSocket({ url: 'ws://a', heartbeat: { interval: 20, timeout: 20, message: `+message+` } });
				await closed(task);
				restore();
				return [errors.splice(0).length + ' error', sockets[0].sent.length + ' sent'];`,
				"1 error", "0 sent")
		})
	}
}

func TestHeartbeatOption(t *testing.T) {
	const refusal = "rejected connectSocket:fail parameter error: "
	for _, c := range []struct{ heartbeat, want string }{
		{"null", "resolved connectSocket:ok"},
		{"false", "resolved connectSocket:ok"},
		{"{ message: '' }", "resolved connectSocket:ok"},
		{"{ message: new Blob([]), interval: undefined, timeout: null }", "resolved connectSocket:ok"},
		{"true", refusal + "parameter.heartbeat should be Object instead of Boolean"},
		{"[]", refusal + "parameter.heartbeat should be Object instead of Array"},
		{"{}", refusal + "parameter.heartbeat.message should be String, ArrayBuffer or Function instead of Undefined"},
		{"{ message: 1 }", refusal + "parameter.heartbeat.message should be String, ArrayBuffer or Function instead of Number"},
		{"{ message: '', interval: '1' }", refusal + "parameter.heartbeat.interval should be Number instead of String"},
		{"{ message: '', interval: 0 }", refusal + "parameter.heartbeat.interval should be from 1 to 2147483647"},
		{"{ message: '', timeout: -1 }", refusal + "parameter.heartbeat.timeout should be from 1 to 2147483647"},
		{"{ get message() { throw 1; } }", refusal + "reading parameter.heartbeat.message threw 1"},
		{"new Proxy({}, { get() { throw 1; } })", refusal + "reading parameter.heartbeat.message threw 1"},
	} {
		t.Run(c.heartbeat, func(t *testing.T) {
			expect(t, newPage(t, ""), `return [await outcome(connectSocket({ url: echo(), heartbeat: `+c.heartbeat+` }))];`, c.want)
		})
	}
}

// Each attempt has a fresh url, header and subprotocols.
func TestFreshOptionForEachAttempt(t *testing.T) {
	for name, give := range map[string]string{
		"at once": `option`,
		"later":   `async (attempt) => { await sleep(5); return option(attempt); }`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, relayed), silentServer+`
				const option = (attempt) => ({ url: 'ws://a/?ticket=' + attempt, protocols: 'p' + attempt, header: { Token: attempt } });
				const task = connectSocket({ url: 'ws://a/?ticket=0', header: { Token: 0 }, reconnect: { minDelay: 1, option: `+give+` } });
				for (let i = 0; i < 3; i++) {
					await until(() => sockets.length === i + 1 && sockets[i].sent.length === 1);
					sockets[i].readyState = 3;
					sockets[i].dispatchEvent(new CloseEvent('close', { code: 1006 }));
				}
				const end = closed(task);
				task.close();
				await end;
				restore();
				return sockets.slice(0, 3).map(({ sent }) => {
					const { url, protocols, header } = JSON.parse(sent[0]);
					return [url, protocols, header.Token].join(' ');
				});`,
				"ws://a/?ticket=0  0", "ws://a/?ticket=1 p1 1", "ws://a/?ticket=2 p2 2")
		})
	}
}

// What the function does wrong is an attempt that failed, and onError tells it.
func TestFreshOptionThatFails(t *testing.T) {
	const fail = "connectSocket:fail "
	const parameter = fail + "parameter error: "
	for _, c := range []struct{ name, option, want string }{
		{"throws", `() => { throw new Error('no ticket'); }`, fail + "reconnect.option threw Error: no ticket"},
		{"rejects", `async () => { throw 1; }`, fail + "reconnect.option threw 1"},
		{"gives nothing", `() => {}`, parameter + "what reconnect.option gives should be Object instead of Undefined"},
		{"gives a string", `() => 'ws://a'`, parameter + "what reconnect.option gives should be Object instead of String"},
		{"a url of another type", `() => ({ url: 1 })`, parameter + "parameter.url should be String instead of Number"},
		{"a url of another scheme", `() => ({ url: 'ftp://x' })`, fail + `invalid url "ftp://x"`},
		{"a url of another domain", `() => ({ url: 'ws://b' })`, fail + "url not in domain list"},
		{"a getter that throws", `() => ({ get url() { throw 1; } })`, parameter + "reading parameter.url threw 1"},
		{"a subprotocol that is not allowed", `() => ({ protocols: ['a b'] })`, "what the constructor throws"},
		{"never settles", `() => new Promise(() => {})`, fail + "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, "({ domains: ['ws://a'] })"), silentServer+`
				const task = connectSocket({ url: 'ws://a', timeout: 200, reconnect: { retries: 1, minDelay: 1, option: `+c.option+` } });
				await opened(task);
				sockets[0].readyState = 3;
				sockets[0].dispatchEvent(new CloseEvent('close', { code: 1006 }));
				if ('`+c.name+`'.startsWith('a subprotocol')) restore(); // the browser's own refuses it
				const errors = [];
				task.onError(({ errMsg }) => errors.push(errMsg));
				await closed(task);
				restore();
				return [String(errors.length), errors[1].replace(/^connectSocket:fail SyntaxError: .*/, 'what the constructor throws'), String(sockets.length)];`,
				"2", c.want, "1")
		})
	}
}

func TestCloseWhileTheFreshOptionIsAwaited(t *testing.T) {
	expect(t, newPage(t, ""), silentServer+`
		let give;
		const option = () => new Promise((resolve) => (give = resolve));
		const task = connectSocket({ url: 'ws://a', reconnect: { minDelay: 1, option } });
		await opened(task);
		sockets[0].readyState = 3;
		sockets[0].dispatchEvent(new CloseEvent('close', { code: 1006 }));
		await until(() => give);
		const end = watch(task);
		log.push(await outcome(task.close({ code: 4000 })));
		await end;
		give({ url: 'ws://b' });
		await sleep(20);
		restore();
		return [...log.slice(-2), String(sockets.length)];`,
		"resolved closeSocket:ok", `close 1006 "" unclean`, "1")
}

func TestReconnectWhileHidden(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1011&after=1', { whileHidden: true });
		await opened(task);
		const back = away(document, 'visibilityState', 'hidden');
		try {
			task.send({ data: 'x' });
			await new Promise((resolve) => task.onOpen(({ reconnected }) => reconnected && resolve()));
		} finally {
			back('visibilitychange');
		}
		const end = closed(task);
		task.close();
		await end;
		return log.filter((line) => line.startsWith('open'));`,
		"open undefined 1", "open 1 1")
}

// The browser's hint that the page is offline may be wrong: the pause has an end.
func TestReconnectWhileOffline(t *testing.T) {
	expect(t, newPage(t, ""), reconnecting+`
		const task = connect('code=1011&after=1', { maxDelay: 50 });
		await opened(task);
		const back = away(navigator, 'onLine', false);
		try {
			task.send({ data: 'x' });
			await new Promise((resolve) => task.onOpen(({ reconnected }) => reconnected && resolve()));
		} finally {
			back('online');
		}
		const end = closed(task);
		task.close();
		await end;
		return log.filter((line) => line.startsWith('open'));`,
		"open undefined 1", "open 1 1")
}
