package jsbridge

import (
	"syscall/js"
	"testing"
)

func TestConnectSettlesInOrder(t *testing.T) {
	expect(t, newPage(t, ""), `
		const promise = connectSocket({ url: echo(), ...on });
		log.push('returned');
		promise.then((task) => log.push('resolved ' + task.errMsg + ' ' + ('then' in task)));
		await opened(promise);
		await sleep(30);
		return log;`,
		"returned",
		"success connectSocket:ok",
		"complete connectSocket:ok",
		"resolved connectSocket:ok false",
	)
}

func TestSuccessResult(t *testing.T) {
	expect(t, newPage(t, ""), `
		const results = [];
		const task = await connectSocket({ url: echo(), success: (res) => results.push(res), complete: (res) => results.push(res) });
		return results.map((res) => Object.keys(res) + ' ' + (res.socketTaskId === task.socketTaskId));`,
		"errMsg,socketTaskId true",
		"errMsg,socketTaskId true",
	)
}

// badCalls are calls that are refused before there is a WebSocket.
var badCalls = []struct{ name, option, want string }{
	{"no url", `{ ...on }`, "parameter error: parameter.url should be String instead of Undefined"},
	{"url null", `{ url: null, ...on }`, "parameter error: parameter.url should be String instead of Null"},
	{"url a number", `{ url: 1, ...on }`, "parameter error: parameter.url should be String instead of Number"},
	{"url a boolean", `{ url: true, ...on }`, "parameter error: parameter.url should be String instead of Boolean"},
	{"url an array", `{ url: [echo()], ...on }`, "parameter error: parameter.url should be String instead of Array"},
	{"url an object", `{ url: new URL(echo()), ...on }`, "parameter error: parameter.url should be String instead of URL"},
	{"url a String object", `{ url: new String(echo()), ...on }`, "parameter error: parameter.url should be String instead of Object"},
	{"url a function", `{ url: () => echo(), ...on }`, "parameter error: parameter.url should be String instead of Function"},

	{"ftp", `{ url: 'ftp://x', ...on }`, `invalid url "ftp://x"`},
	{"a blob", `{ url: 'blob:http://x/y', ...on }`, `invalid url "blob:http://x/y"`},
	{"a script", `{ url: 'javascript:1', ...on }`, `invalid url "javascript:1"`},
	{"scheme only", `{ url: 'ws:', ...on }`, `invalid url "ws:"`},
	{"no host", `{ url: 'ws://', ...on }`, `invalid url "ws://"`},
	{"bad port", `{ url: 'ws://x:99999', ...on }`, `invalid url "ws://x:99999"`},
	{"not ASCII", `{ url: 'ftp://é', ...on }`, `invalid url "ftp://é"`},

	{"protocols a number", `{ url: echo(), protocols: 1, ...on }`, "parameter error: parameter.protocols should be Array instead of Number"},
	{"protocols an object", `{ url: echo(), protocols: {}, ...on }`, "parameter error: parameter.protocols should be Array instead of Object"},
	{"a protocol of another type", `{ url: echo(), protocols: ['a', null], ...on }`, "parameter error: parameter.protocols[1] should be String instead of Null"},
	{"header a string", `{ url: echo(), header: 'a: b', ...on }`, "parameter error: parameter.header should be Object instead of String"},
	{"header an array", `{ url: echo(), header: [['a', 'b']], ...on }`, "parameter error: parameter.header should be Object instead of Array"},
}

func TestRefusedCall(t *testing.T) {
	for _, c := range badCalls {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const promise = connectSocket(`+c.option+`);
				log.push(await outcome(promise));
				await sleep(30);
				return log;`,
				"fail connectSocket:fail "+c.want,
				"complete connectSocket:fail "+c.want,
				"rejected connectSocket:fail "+c.want,
			)
		})
	}
}

func TestOptionIsNoObject(t *testing.T) {
	for _, c := range []struct{ option, want string }{
		{``, "Undefined"},
		{`undefined`, "Undefined"},
		{`null`, "Null"},
		{`[]`, "Array"},
		{`''`, "String"},
		{`echo()`, "String"},
		{`1`, "Number"},
		{`true`, "Boolean"},
		{`1n`, "BigInt"},
		{`Symbol()`, "Symbol"},
		{`() => {}`, "Function"},
	} {
		t.Run(c.option, func(t *testing.T) {
			expect(t, newPage(t, ""), `return [await outcome(connectSocket(`+c.option+`))];`,
				"rejected connectSocket:fail parameter error: parameter should be Object instead of "+c.want)
		})
	}
}

func TestRefusalIsOneResult(t *testing.T) {
	expect(t, newPage(t, ""), `
		const results = [];
		const take = (res) => results.push(res);
		await connectSocket({ url: 1, fail: take, complete: take }).catch(take);
		return results.map((res) => Object.keys(res) + ' ' + (res === results[0]));`,
		"errMsg true", "errMsg true", "errMsg true")
}

func TestConstructorThrows(t *testing.T) {
	for _, c := range []struct{ name, url, protocols string }{
		{"a space in a protocol", `echo()`, `['a b']`},
		{"a repeated protocol", `echo()`, `['a', 'a']`},
		{"an empty protocol", `echo()`, `['']`},
		{"an empty string", `echo()`, `''`},
		{"not ASCII", `echo()`, `'é'`},
		{"a fragment", `echo() + '#x'`, `[]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, "({ maxSockets: 1 })"), `
				const option = { url: `+c.url+`, protocols: `+c.protocols+`, ...on };
				const thrown = 'connectSocket:fail ' + thrownBy(() => new WebSocket(option.url, option.protocols));
				const promise = connectSocket(option);
				log.push(await outcome(promise));
				await sleep(30);
				log.push(await outcome(connectSocket({ url: echo() }))); // the slot is back
				return log.map((line) => line.replace(thrown, 'what the constructor throws'));`,
				"fail what the constructor throws",
				"complete what the constructor throws",
				"rejected what the constructor throws",
				"resolved connectSocket:ok",
			)
		})
	}

	for _, c := range []struct{ name, throws, want string }{
		{"a page of https:", `new DOMException('An insecure connection may not be initiated', 'SecurityError')`,
			"SecurityError: An insecure connection may not be initiated"},
		{"no Error", `1`, "1"},
		{"a Symbol", `Symbol('s')`, "Symbol(s)"},
		{"undefined", `undefined`, "undefined"},
		{"a Proxy", `new Proxy({}, { get() { throw 2 }, getPrototypeOf() { throw 3 } })`, "unknown error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, "({ maxSockets: 1 })"), `
				const { WebSocket } = globalThis;
				globalThis.WebSocket = function () { throw `+c.throws+` };
				const refused = connectSocket({ url: echo() });
				globalThis.WebSocket = WebSocket;
				return [await outcome(refused), await outcome(connectSocket({ url: echo() }))];`,
				"rejected connectSocket:fail "+c.want,
				"resolved connectSocket:ok",
			)
		})
	}
}

func TestURLForms(t *testing.T) {
	for name, url := range map[string]string{
		"scheme of any case": `echo().replace('ws', 'Ws')`,
		"upper case":         `echo().replace('ws', 'WS')`,
		"around it spaces":   `' ' + echo() + '\n'`,
		"http":               `echo().replace('ws', 'http')`,
		"HTTP":               `echo().replace('ws', 'HTTP')`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: `+url+` });
				await opened(task);
				return [];`)
		})
	}
}

func TestUnhandledRejection(t *testing.T) {
	const reported = "unhandledrejection connectSocket:fail parameter error: parameter.url should be String instead of Undefined"
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"nobody is told", `connectSocket({})`, []string{reported}},
		{"success alone", `connectSocket({ success() {} })`, []string{reported}},
		{"what is no function", `connectSocket({ fail: 1, complete: {} })`, []string{reported}},
		{"fail", `connectSocket({ fail() {} })`, nil},
		{"complete", `connectSocket({ complete() {} })`, nil},
		{"catch", `connectSocket({}).catch(() => {})`, nil},
		{"send", `(await connectSocket({ url: echo() })).send({ data: 1 })`, nil},
		{"send before open", `connectSocket({ url: echo() }).send({ data: '' })`, nil},
		{"close", `(await connectSocket({ url: echo() })).close({ code: 1 })`, nil},
		{"sendSocketMessage", `sendSocketMessage({ data: '' })`, nil},
		{"closeSocket", `closeSocket()`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), c.body+`;
				await sleep(50);
				return errors.splice(0);`, c.want...)
		})
	}
}

func TestRefusedCallsMethods(t *testing.T) {
	const refusal = "connectSocket:fail parameter error: parameter.url should be String instead of Number"
	expect(t, newPage(t, ""), `
		const promise = connectSocket({ url: 1, fail() {} });
		await watch(promise);
		log.push(await outcome(promise.send({ data: '' })));
		log.push(await outcome(promise.close()));
		log.push(await outcome(promise.close({ code: 1 })));
		log.push([promise.readyState, promise.socketTaskId, promise.errMsg, promise.protocol, promise.bufferedAmount, promise.ws].join());
		return log;`,
		"error "+refusal,
		`close 1006 "" unclean`,
		"rejected SocketTask.send:fail SocketTask.readyState is not OPEN",
		"resolved closeSocket:ok",
		"resolved closeSocket:ok",
		"3,0,"+refusal+",,0,",
	)
}

func TestRefusedCallsHandlersRegisteredLate(t *testing.T) {
	const refusal = "connectSocket:fail parameter error: parameter.url should be String instead of Number"
	expect(t, newPage(t, ""), `
		const promise = connectSocket({ url: 1, fail() {} });
		await outcome(promise);
		await sleep(10);
		promise.onClose(note('close')); // not before the error for that
		promise.onError(note('error'));
		promise.onOpen(note('open'));
		await sleep(10);
		promise.onError(note('second'));
		await sleep(10);
		return log;`,
		"error "+refusal,
		`close 1006 "" unclean`,
	)
}

func TestIgnoredOptions(t *testing.T) {
	for _, option := range []string{
		`success: 1, fail: 'x', complete: {}`,
		`success: null, fail: undefined, complete: Symbol()`,
		`tcpNoDelay: 1, perMessageDeflate: 'yes', forceCellularNetwork: true`,
		`protocols: null, header: null, timeout: null`,
		`protocols: undefined, header: undefined, timeout: '1'`,
		`relay: 'always'`,
		`unknown: {}`,
	} {
		t.Run(option, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo(), `+option+` });
				await opened(task);
				return warnings;`)
		})
	}
}

func TestHeaderWithoutRelay(t *testing.T) {
	const unsent = "connectSocket: header, tcpNoDelay and perMessageDeflate need a relay; they are not sent"
	const referer = "connectSocket: Referer is not available in header; it is not sent"
	meaningless := func(name, kind string) string {
		return "connectSocket: header." + name + " should be String instead of " + kind + "; it is not sent"
	}
	own := func(name string) string {
		return "connectSocket: header." + name + " is the connection's own; it is not sent"
	}
	for _, c := range []struct {
		name, option string
		want         []string
	}{
		{"header", `header: { a: 'b' }`, []string{unsent}},
		{"values made strings", `header: { a: 1, b: true, c: 10n, d: null, e: undefined }`, []string{unsent}},
		{"empty header", `header: {}`, nil},
		{"nothing in the header", `header: { a: null, b: undefined }`, nil},
		{"Referer alone", `header: { Referer: 'x' }`, []string{referer}},
		{"referer of any case", `header: { rEFERER: 'x', a: 'b' }`, []string{referer, unsent}},
		{"Headers", `header: new Headers({ a: 'b' })`, []string{unsent}},
		{"a Map", `header: new Map([['a', 'b']])`, []string{unsent}},
		{"an array of nothing", `header: { a: [], b: [null] }`, []string{meaningless("a", "Array"), meaningless("b", "Array")}},
		{"an object and a string", `header: { a: {}, b: 'c' }`, []string{meaningless("a", "Object"), unsent}},
		{"the connection's own", `header: { Host: 'x', 'proxy-authorization': 'y', 'Sec-Fetch-Mode': 'z' }`, []string{own("Host"), own("proxy-authorization"), own("Sec-Fetch-Mode")}},
		{"a subprotocol", `header: { 'sec-websocket-protocol': 'a, b' }`, nil},
		{"tcpNoDelay", `tcpNoDelay: false`, []string{unsent}},
		{"perMessageDeflate", `perMessageDeflate: true`, []string{unsent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				for (let i = 0; i < 2; i++) { // the second time it is not said again that it is not sent
					const promise = connectSocket({ url: echo(), `+c.option+` });
					await opened(promise);
				}
				return [...new Set(warnings)].concat(warnings.filter((w) => w.includes('need a relay')).slice(1));`,
				c.want...)
		})
	}
}

func TestProtocols(t *testing.T) {
	for _, c := range []struct{ name, query, protocols, protocol, header string }{
		{"none offered", ``, `undefined`, "", "{}"},
		{"an empty list", ``, `[]`, "", "{}"},
		{"a string", ``, `'a'`, "a", `{"Sec-WebSocket-Protocol":"a"}`},
		{"the first", `protocol=first`, `['a', 'b']`, "a", `{"Sec-WebSocket-Protocol":"a"}`},
		{"the last", `protocol=last`, `['a', 'b']`, "b", `{"Sec-WebSocket-Protocol":"b"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const promise = connectSocket({ url: echo('`+c.query+`'), protocols: `+c.protocols+` });
				const { header } = await opened(promise);
				return [promise.protocol, JSON.stringify(header)];`,
				c.protocol, c.header)
		})
	}
	t.Run("one that was not offered", func(t *testing.T) {
		expect(t, newPage(t, ""), `
			await watch(connectSocket({ url: echo('protocol=c'), protocols: ['a'] }));
			return log;`,
			`error connectSocket:fail WebSocket connection to "`+server+`?protocol=c" failed`,
			`close 1006 "" unclean`)
	})
}

func TestProfile(t *testing.T) {
	expect(t, newPage(t, ""), `
		const before = Date.now();
		const { profile } = await opened(connectSocket({ url: echo() }));
		const { fetchStart, connectEnd, cost } = profile;
		return [Object.keys(profile).join(), before <= fetchStart, fetchStart <= connectEnd, cost === connectEnd - fetchStart].map(String);`,
		"fetchStart,connectEnd,cost", "true", "true", "true")
}

func TestFailedAttempt(t *testing.T) {
	for _, c := range []struct{ name, url string }{
		{"refused by 403", server + "?status=403"},
		{"refused by 500", server + "?status=500"},
		{"refused by 200", server + "?status=200"},
		{"nobody listens", "ws://127.0.0.1:1/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const promise = connectSocket({ url: '`+c.url+`', ...on });
				await watch(promise);
				log.push('state ' + promise.readyState);
				return log;`,
				"success connectSocket:ok",
				"complete connectSocket:ok",
				`error connectSocket:fail WebSocket connection to "`+c.url+`" failed`,
				`close 1006 "" unclean`,
				"state 3",
			)
		})
	}
}

// A page that starts the module as any Go program puts the bridge there itself,
// and all there is then is the global function.
func TestStockPage(t *testing.T) {
	js.Global().Delete("connectSocket")
	evaluate(bundle("./stock.js", "putOnPage")).Invoke()
	Start()
	echoed, err := await(evaluate(`(async () => {
		const task = await connectSocket({ url: '` + server + `' });
		await new Promise((resolve) => task.onOpen(resolve));
		task.send({ data: 'hello' });
		const { data } = await new Promise((resolve) => task.onMessage(resolve));
		task.close();
		await new Promise((resolve) => task.onClose(resolve));
		return data + Object.keys(globalThis).filter((name) => /socket/i.test(name) && name !== 'connectSocket');
	})()`))
	if err != nil || echoed.String() != "hello" {
		t.Errorf("got %v, %v", echoed, err)
	}
	if set.Len() != 0 {
		t.Errorf("the set is left with %d tasks", set.Len())
	}
}
