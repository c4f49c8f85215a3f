package jsbridge

import "testing"

// lives shows that the module still works, after lines of its own.
const lives = `
	const survivor = await connectSocket({ url: echo() });
	await opened(survivor);
	survivor.send({ data: 'alive' });
	log.push(tell(await received(survivor)));
	return log;`

const revoked = `(({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable({}, {}))`
const revokedFunction = `(({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable(() => {}, {}))`

func TestHostileCall(t *testing.T) {
	const reading = "parameter error: reading parameter"
	for _, c := range []struct{ name, option, want string }{
		{"url throws an Error", `{ ...on, get url() { throw new RangeError('no'); } }`, reading + ".url threw RangeError: no"},
		{"url throws 1", `{ ...on, get url() { throw 1; } }`, reading + ".url threw 1"},
		{"url throws undefined", `{ ...on, get url() { throw undefined; } }`, reading + ".url threw undefined"},
		{"url throws a Symbol", `{ ...on, get url() { throw Symbol('s'); } }`, reading + ".url threw Symbol(s)"},
		{"url throws a BigInt", `{ ...on, get url() { throw 1n; } }`, reading + ".url threw 1"},
		{"url throws a bare object", `{ ...on, get url() { throw Object.create(null); } }`, reading + ".url threw unknown error"},
		{"url throws a revoked Proxy", `{ ...on, get url() { throw ` + revoked + `; } }`, reading + ".url threw unknown error"},
		{"url throws an Error of a Symbol", `{ ...on, get url() { throw Object.assign(new Error(), { message: Symbol() }); } }`, reading + ".url threw unknown error"},
		{"url throws what throws", `{ ...on, get url() { throw { toString() { throw 2; } }; } }`, reading + ".url threw unknown error"},
		{"url a Symbol", `{ ...on, url: Symbol('ws://x') }`, "parameter error: parameter.url should be String instead of Symbol"},
		{"url a BigInt", `{ ...on, url: 1n }`, "parameter error: parameter.url should be String instead of BigInt"},
		{"url with toString", `{ ...on, url: { toString: () => echo() } }`, "parameter error: parameter.url should be String instead of Object"},
		{"url that calls itself String", `{ ...on, url: { [Symbol.toStringTag]: 'String' } }`, "parameter error: parameter.url should be String instead of Object"},
		{"url whose tag throws", `{ ...on, url: { get [Symbol.toStringTag]() { throw 1; } } }`, "parameter error: parameter.url should be String instead of Object"},
		{"url a revoked Proxy", `{ ...on, url: ` + revoked + ` }`, "parameter error: parameter.url should be String instead of Object"},

		{"timeout throws", `{ ...on, url: echo(), get timeout() { throw 1; } }`, reading + ".timeout threw 1"},
		{"relay throws", `{ ...on, url: echo(), get relay() { throw 1; } }`, reading + ".relay threw 1"},
		{"tcpNoDelay throws", `{ ...on, url: echo(), get tcpNoDelay() { throw 1; } }`, reading + ".tcpNoDelay threw 1"},
		{"perMessageDeflate throws", `{ ...on, url: echo(), get perMessageDeflate() { throw 1; } }`, reading + ".perMessageDeflate threw 1"},
		{"success throws", `{ url: echo(), get success() { throw 1; }, fail: on.fail, complete: on.complete }`, reading + ".success threw 1"},

		{"protocols throw", `{ ...on, url: echo(), get protocols() { throw 1; } }`, reading + ".protocols threw 1"},
		{"a protocol throws", `{ ...on, url: echo(), protocols: Object.defineProperty(['a'], '0', { get() { throw 1; } }) }`, reading + ".protocols threw 1"},
		{"protocols are a revoked Proxy", `{ ...on, url: echo(), protocols: (({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable([], {})) }`,
			reading + ".protocols threw TypeError: revoked"},
		{"protocols iterate otherwise", `{ ...on, url: echo(), protocols: Object.assign(['a'], { *[Symbol.iterator]() { throw 1; } }) }`, reading + ".protocols threw 1"},
		{"a protocol is a Symbol", `{ ...on, url: echo(), protocols: [Symbol()] }`, "parameter error: parameter.protocols[0] should be String instead of Symbol"},

		{"header throws", `{ ...on, url: echo(), get header() { throw 1; } }`, reading + ".header threw 1"},
		{"a field throws", `{ ...on, url: echo(), header: { get a() { throw 1; } } }`, reading + ".header threw 1"},
		{"a Proxy as header throws", `{ ...on, url: echo(), header: new Proxy({}, { ownKeys() { throw 1; } }) }`, reading + ".header threw 1"},
		{"a revoked Proxy as header", `{ ...on, url: echo(), header: ` + revoked + ` }`, reading + ".header threw TypeError: revoked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "connectSocket:fail " + c.want
			expect(t, newPage(t, "({ maxSockets: 1 })"), `
				log.push(await outcome(connectSocket(`+c.option+`)));
				await sleep(10);`+lives,
				"fail "+want, "complete "+want, "rejected "+want, `"alive"`)
		})
	}
}

// Where the callbacks cannot be read, the promise tells it alone.
func TestHostileOption(t *testing.T) {
	const parameter = "rejected connectSocket:fail parameter error: "
	for _, c := range []struct{ name, option, want string }{
		{"a revoked Proxy", revoked, parameter + "reading parameter threw TypeError: revoked"},
		{"a revoked function", revokedFunction, parameter + "parameter should be Object instead of Function"},
		{"a Proxy that throws", `new Proxy({}, { get() { throw 1; } })`, parameter + "reading parameter.success threw 1"},
		{"a Proxy that gives Proxies", `(() => { const p = new Proxy(() => {}, { get: () => p, getPrototypeOf() { throw 1; } }); return new Proxy({}, { get: () => p }); })()`,
			parameter + "parameter.url should be String instead of Function"},
		{"an array that calls itself Object", `Object.assign([], { [Symbol.toStringTag]: 'Object' })`, parameter + "parameter should be Object instead of Object"},
		{"a tag that throws", `{ get [Symbol.toStringTag]() { throw 1; } }`, parameter + "parameter.url should be String instead of Undefined"},
		{"without a prototype", `Object.create(null)`, parameter + "parameter.url should be String instead of Undefined"},
		{"frozen", `Object.freeze({ url: echo() })`, "resolved connectSocket:ok"},
		{"a Proxy", `new Proxy({ url: echo() }, {})`, "resolved connectSocket:ok"},
		{"by inheritance", `Object.create({ url: echo() })`, "resolved connectSocket:ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, "({ maxSockets: 2 })"), `
				log.push(await outcome(connectSocket(`+c.option+`)));
				errors.length = 0; // a Proxy of everything is a function that cannot be called
				await sleep(10);
				errors.length = 0;`+lives, c.want, `"alive"`)
		})
	}
}

// An option is read once, each field once: what it says later has no effect.
func TestOptionIsReadOnce(t *testing.T) {
	expect(t, newPage(t, ""), `
		const fields = { url: echo(), protocols: ['a'], header: { a: 'b' }, timeout: 1000, tcpNoDelay: true, perMessageDeflate: true, success() {}, fail() {}, complete() {} };
		const reads = {};
		const option = new Proxy(fields, { get(target, name) {
			reads[name] = (reads[name] ?? 0) + 1;
			return target[name];
		} });
		const promise = connectSocket(option);
		Object.assign(fields, { url: 1, fail: note('fail'), success: note('success') });
		fields.protocols.push('b');
		await opened(promise);
		return [...log, promise.protocol, ...Object.entries(reads).filter(([name, n]) => n > 1 && typeof name !== 'symbol').map(String)];`,
		"a")
}

// A getter that calls in before its own call is judged.
func TestCallWithinCall(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 2 })"), `
		let inner;
		const outer = connectSocket({ get url() {
			inner = connectSocket({ url: echo() });
			return echo();
		} });
		log.push(String((await inner).socketTaskId < (await outer).socketTaskId));
		log.push(await outcome(connectSocket({ url: echo() })));
		await Promise.all([opened(inner), opened(outer)]);
		outer.send({ get data() {
			outer.close();
			return 'x';
		}, ...on });
		inner.close({ get code() {
			inner.close({ code: 4001 });
			return 4002;
		} });
		log.push(tell(await closed(inner)));
		return log;`,
		"true",
		"rejected connectSocket:fail exceed max concurrent count 2",
		"fail SocketTask.send:fail SocketTask.readyState is not OPEN",
		"complete SocketTask.send:fail SocketTask.readyState is not OPEN",
		`4001 ""`)
}

func TestHostileSend(t *testing.T) {
	const reading = "parameter error: reading parameter"
	for _, c := range []struct{ name, option, want string }{
		{"data throws", `{ get data() { throw 1; } }`, reading + ".data threw 1"},
		{"data throws a Symbol", `{ get data() { throw Symbol('s'); } }`, reading + ".data threw Symbol(s)"},
		{"fail throws", `{ data: 'x', get fail() { throw 1; } }`, reading + ".fail threw 1"},
		{"a Proxy that throws", `new Proxy({}, { get() { throw 1; } })`, reading + ".success threw 1"},
		{"a revoked Proxy", revoked, reading + " threw TypeError: revoked"},
		{"a tag that throws", `{ data: { get [Symbol.toStringTag]() { throw 1; } } }`, "parameter error: parameter.data should be String or ArrayBuffer instead of Object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				log.push(await outcome(task.send(`+c.option+`)));
				log.push(await outcome(sendSocketMessage(`+c.option+`)));
				task.send({ data: 'alive' });
				log.push(tell(await received(task)));
				return log;`,
				"rejected SocketTask.send:fail "+c.want, "rejected sendSocketMessage:fail "+c.want, `"alive"`)
		})
	}
}

func TestHostileClose(t *testing.T) {
	const reading = "reading parameter"
	for _, c := range []struct{ name, option, want string }{
		{"code throws", `{ get code() { throw 1; } }`, reading + ".code threw 1"},
		{"code a Symbol", `{ code: Symbol() }`, "parameter.code should be Number instead of Symbol"},
		{"code with valueOf", `{ code: { valueOf: () => 1000 } }`, "parameter.code should be Number instead of Object"},
		{"reason throws", `{ code: 4000, get reason() { throw Symbol('s'); } }`, reading + ".reason threw Symbol(s)"},
		{"reason a Symbol", `{ reason: Symbol() }`, "parameter.reason should be String instead of Symbol"},
		{"reason with toString", `{ reason: { toString: () => 'x' } }`, "parameter.reason should be String instead of Object"},
		{"success throws", `{ get success() { throw 1; } }`, reading + ".success threw 1"},
		{"a revoked Proxy", revoked, reading + " threw TypeError: revoked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				log.push(await outcome(task.close(`+c.option+`)));
				log.push(await outcome(closeSocket(`+c.option+`)));
				task.send({ data: 'alive' });
				log.push(tell(await received(task)));
				return log;`,
				"rejected closeSocket:fail parameter error: "+c.want, "rejected closeSocket:fail parameter error: "+c.want, `"alive"`)
		})
	}
}

// Whatever cannot be read, the callbacks that can are told.
func TestHostileFieldStillTellsFail(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		log.push(await outcome(task.send({ ...on, get data() { throw 1; } })));
		log.push(await outcome(task.send({ data: 'x', get success() { throw 1; }, fail: on.fail, complete: on.complete })));
		log.push(await outcome(task.close({ ...on, get code() { throw 1; } })));
		log.push(await outcome(task.close({ get success() { throw 1; }, fail: on.fail, complete: on.complete })));
		return log;`,
		"fail SocketTask.send:fail parameter error: reading parameter.data threw 1",
		"complete SocketTask.send:fail parameter error: reading parameter.data threw 1",
		"rejected SocketTask.send:fail parameter error: reading parameter.data threw 1",
		"fail SocketTask.send:fail parameter error: reading parameter.success threw 1",
		"complete SocketTask.send:fail parameter error: reading parameter.success threw 1",
		"rejected SocketTask.send:fail parameter error: reading parameter.success threw 1",
		"fail closeSocket:fail parameter error: reading parameter.code threw 1",
		"complete closeSocket:fail parameter error: reading parameter.code threw 1",
		"rejected closeSocket:fail parameter error: reading parameter.code threw 1",
		"fail closeSocket:fail parameter error: reading parameter.success threw 1",
		"complete closeSocket:fail parameter error: reading parameter.success threw 1",
		"rejected closeSocket:fail parameter error: reading parameter.success threw 1",
	)
}

// What the WebSocket itself refuses to send.
func TestSendResizableBuffer(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const data = new ArrayBuffer(1, { maxByteLength: 2 });
		const thrown = thrownBy(() => task.ws.send(data));
		return [(await outcome(task.send({ data }))).replace(thrown, 'what it throws')];`,
		"rejected SocketTask.send:fail what it throws")
}

// Functions by typeof that cannot be called: what they throw is reported.
func TestFunctionsThatAreNot(t *testing.T) {
	expect(t, newPage(t, ""), `
		const f = `+revokedFunction+`;
		const task = await connectSocket({ url: echo('push=1&code=1000'), success: f, complete: class {} });
		for (const kind of ['Open', 'Message', 'Error', 'Close']) task['on' + kind](f);
		await closed(task);
		await outcome(connectSocket({ fail: f, complete: class {} }));
		await outcome(task.send({ fail: f, complete: f }));
		await outcome(task.close({ success: f, complete: f }));
		await sleep(10);
		log.push(errors.splice(0).length + ' errors');`+lives,
		"11 errors", `"alive"`)
}

// What cannot be a header's value is left out, whatever it is: the call goes on.
func TestHostileHeaderValue(t *testing.T) {
	const cyclic = `(() => { const cyclic = []; cyclic.push(cyclic); return cyclic; })()`
	for _, c := range []struct{ name, value, kind string }{
		{"a Symbol", `Symbol()`, "Symbol"},
		{"a function", `() => {}`, "Function"},
		{"an object", `{ toString: () => 'x' }`, "Object"},
		{"an array that contains itself", cyclic, "Array"},
		{"an array of a Symbol", `[Symbol()]`, "Array"},
		{"a revoked Proxy", revoked, "Object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const promise = connectSocket({ url: echo(), header: { ['__proto__']: `+c.value+` } });
				await opened(promise);
				return warnings;`,
				"connectSocket: header.__proto__ should be String instead of "+c.kind+"; it is not sent")
		})
	}
}

func TestHeaderNamedLikeThePrototype(t *testing.T) {
	expect(t, newPage(t, ""), `
		const header = JSON.parse('{"__proto__": "x", "constructor": "y", "toString": "z"}');
		await opened(connectSocket({ url: echo(), header }));
		log.push(String(({}).x));`+lives,
		"undefined", `"alive"`)
}

func TestMethodWithoutTask(t *testing.T) {
	expect(t, newPage(t, ""), `
		const { send, readyState } = await connectSocket({ url: echo() });
		try {
			send({ data: 'x' });
		} catch (error) {
			log.push(error.name);
		}`+lives,
		"TypeError", `"alive"`)
}

func TestManyCallsLeaveNothing(t *testing.T) {
	expect(t, newPage(t, ""), `
		for (let i = 0; i < 100; i++) {
			connectSocket(i % 2 ? {} : { get url() { throw i; } }).catch(() => {});
			connectSocket({ url: echo(), protocols: ['a', 'a'] }).catch(() => {});
			connectSocket({ url: echo() }).close();
		}
		for (let i = 0; stats().tasks > 0 && i < 1000; i++) await sleep(10);
		log.push(stats().slots <= 200 ? 'slots come back' : stats().slots + ' slots');`+lives,
		"slots come back", `"alive"`)
}
