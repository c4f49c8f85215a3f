package jsbridge

import "testing"

// fakeRelay is a WebSocket whose peer is the test: what is sent to it is in sent,
// and it dispatches what it is told to.
const fakeRelay = `
	const { WebSocket } = globalThis;
	const sent = [];
	globalThis.WebSocket = class extends EventTarget {
		constructor(url, protocols) {
			super();
			Object.assign(this, { url, protocols, protocol: protocols, readyState: 0, bufferedAmount: 0 });
		}
		send(data) {
			sent.push(data);
		}
		close(code) {
			this.readyState = 3;
			this.dispatchEvent(new CloseEvent('close', { code: code ?? 1005, wasClean: true }));
		}
	};
	const call = (option) => {
		const promise = connectSocket({ url: 'ws://upstream', relay: 'always', timeout: 1000, ...option });
		promise.ws.tell = (data) => promise.ws.dispatchEvent(new MessageEvent('message', { data }));
		watch(promise);
		return promise;
	};
	const accept = async (promise) => {
		await promise;
		promise.ws.readyState = 1;
		promise.ws.dispatchEvent(new Event('open'));
	};
	const restore = () => (globalThis.WebSocket = WebSocket);`

const relayed = "({ relay: 'ws://relay.example' })"

func TestRelayedCall(t *testing.T) {
	expect(t, newPage(t, relayed), fakeRelay+`
		const promise = call({ protocols: ['a', 'b'], header: { A: 1, Referer: 'x', ['__proto__']: true }, tcpNoDelay: false, relay: undefined });
		await accept(promise);
		log.push([promise.ws.url, promise.ws.protocols].join(), ...sent);
		log.push([promise.readyState, promise.protocol].join());
		log.push(await outcome(promise.send({ data: 'early' })));
		promise.ws.tell('{"open":true,"protocol":"b","header":{"X":"y"},"profile":{"rtt":1}}');
		log.push([promise.readyState, promise.protocol].join());
		promise.ws.tell('{"open":false}'); // from here on all is the upstream's
		log.push(await outcome(promise.send({ data: 'x' })), sent[1]);
		restore();
		promise.close({ code: 4000 });
		return log;`,
		"ws://relay.example,connectsocket.relay.v1",
		`{"url":"ws://upstream/","protocols":["a","b"],"header":{"A":"1","__proto__":"true"},"tcpNoDelay":false,"timeout":1000}`,
		"0,",
		"rejected SocketTask.send:fail SocketTask.readyState is not OPEN",
		`open {"X":"y"}`,
		"1,b",
		`message "{\"open\":false}"`,
		"resolved sendSocketMessage:ok", "x",
		`close 4000 ""`,
	)
}

func TestRelaysRefusal(t *testing.T) {
	const unclear = "the relay's answer is not understood"
	for _, c := range []struct{ name, answer, want string }{
		{"in words", `'{"open":false,"errMsg":"connectSocket:fail 403 Forbidden"}'`, "403 Forbidden"},
		{"without words", `'{"open":false}'`, unclear},
		{"words of another type", `'{"open":false,"errMsg":{"toString":1}}'`, unclear},
		{"no JSON", `'hello'`, unclear},
		{"empty", `''`, unclear},
		{"null", `'null'`, unclear},
		{"a number", `'1'`, unclear},
		{"an array", `'[]'`, unclear},
		{"binary", `new ArrayBuffer(2)`, unclear},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, relayed), fakeRelay+`
				const promise = call();
				await accept(promise);
				promise.ws.tell(`+c.answer+`);
				restore();
				return [...log, String(promise.readyState)];`,
				"error connectSocket:fail "+c.want, `close 1006 "" unclean`, "3")
		})
	}
}

func TestRelayThatDoesNotAnswer(t *testing.T) {
	expect(t, newPage(t, relayed), fakeRelay+`
		const promise = call({ timeout: 20 });
		await accept(promise);
		await closed(promise);
		restore();
		return log;`,
		"error connectSocket:fail timeout", `close 1006 "" unclean`)
}

func TestRelayIsTakenWhereItIsNeeded(t *testing.T) {
	for option, want := range map[string]string{
		``:                         "ws://upstream/",
		`relay: 'never'`:           "ws://upstream/",
		`header: {}`:               "ws://upstream/",
		`header: { Referer: 'x' }`: "ws://upstream/",
		`tcpNoDelay: 'yes'`:        "ws://upstream/",
		`relay: 'always'`:          "ws://relay.example",
		`header: { A: 'b' }`:       "ws://relay.example",
		`tcpNoDelay: true`:         "ws://relay.example",
		`perMessageDeflate: false`: "ws://relay.example",
	} {
		t.Run(option, func(t *testing.T) {
			expect(t, newPage(t, relayed), fakeRelay+`
				const promise = call({ relay: undefined, `+option+` });
				restore();
				return [promise.ws.url];`, want)
		})
	}
}

// An answer is what it says itself: nothing of it gets to Object.prototype, and nothing from there into it.
func TestRelaysAnswerNamedLikeThePrototype(t *testing.T) {
	const hostile = `"__proto__":{"polluted":1,"open":true,"errMsg":"theirs"},"constructor":{"prototype":{"polluted":1}}`
	for _, c := range []struct{ name, answer, want string }{
		{"open", `{"open":true,"header":{` + hostile + `},` + hostile + `}`, `open {` + hostile + `}`},
		{"refused", `{"open":false,"errMsg":"connectSocket:fail 403",` + hostile + `}`, `error connectSocket:fail 403`},
		{"its prototype opens", `{` + hostile + `}`, `error connectSocket:fail the relay's answer is not understood`},
		{"the page's prototype opens", `{}`, `error connectSocket:fail the relay's answer is not understood`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, relayed), fakeRelay+`
				const promise = call();
				await accept(promise);
				Object.prototype.open = true;
				promise.ws.tell(`+"`"+c.answer+"`"+`);
				delete Object.prototype.open;
				restore();
				return [log[0], String(({}).polluted), Object.keys(Object.prototype).join()];`,
				c.want, "undefined", "")
		})
	}
}
