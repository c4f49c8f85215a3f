package jsbridge

import (
	"fmt"
	"strings"
	"testing"
)

func TestSendData(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"text", `'hé 🙂'`, `"hé 🙂"`},
		{"empty text", `''`, `""`},
		{"NUL", `'a\0b'`, `"a\u0000b"`},
		{"lone high surrogate", `'a\ud83d'`, `"a` + "\ufffd" + `"`},
		{"lone low surrogate", `'\ude00b'`, `"` + "\ufffd" + `b"`},
		{"surrogates in the wrong order", `'\ude00\ud83d'`, `"` + "\ufffd\ufffd" + `"`},
		{"byte order mark", `'\ufeffa'`, "\"\ufeffa\""},
		{"ArrayBuffer", `new Uint8Array([0, 1, 255]).buffer`, "ArrayBuffer <00 01 ff>"},
		{"empty ArrayBuffer", `new ArrayBuffer(0)`, "ArrayBuffer <>"},
		{"Uint8Array", `new Uint8Array([1, 2])`, "ArrayBuffer <01 02>"},
		{"window of a Uint8Array", `new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 3)`, "ArrayBuffer <01 02>"},
		{"window of a Uint16Array", `new Uint16Array(new Uint8Array([0, 0, 1, 2, 3, 4, 0, 0]).buffer, 2, 2)`, "ArrayBuffer <01 02 03 04>"},
		{"window of a DataView", `new DataView(new Uint8Array([0, 1, 2, 3]).buffer, 1, 2)`, "ArrayBuffer <01 02>"},
		{"empty window", `new Uint8Array(8).subarray(4, 4)`, "ArrayBuffer <>"},
		{"Float64Array", `new Float64Array([1])`, "ArrayBuffer <00 00 00 00 00 00 f0 3f>"},
		{"Blob", `new Blob(['ab', new Uint8Array([1])])`, "ArrayBuffer <61 62 01>"},
		{"File", `new File(['ab'], 'name')`, "ArrayBuffer <61 62>"},
		{"empty Blob", `new Blob([])`, "ArrayBuffer <>"},
		{"ArrayBuffer of an iframe", `(() => {
			const frame = document.body.appendChild(document.createElement('iframe'));
			return new frame.contentWindow.Uint8Array([1, 2]).buffer;
		})()`, "ArrayBuffer <01 02>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				const sent = await outcome(task.send({ data: `+c.data+` }));
				return [sent, tell(await received(task))];`,
				"resolved sendSocketMessage:ok", c.want)
		})
	}
}

func TestSendBadData(t *testing.T) {
	for _, c := range []struct{ name, option, want string }{
		{"undefined", `{ data: undefined, ...on }`, "Undefined"},
		{"absent", `{ ...on }`, "Undefined"},
		{"null", `{ data: null, ...on }`, "Null"},
		{"a number", `{ data: 1, ...on }`, "Number"},
		{"a boolean", `{ data: false, ...on }`, "Boolean"},
		{"a BigInt", `{ data: 1n, ...on }`, "BigInt"},
		{"a Symbol", `{ data: Symbol(), ...on }`, "Symbol"},
		{"an array", `{ data: [1], ...on }`, "Array"},
		{"an object", `{ data: {}, ...on }`, "Object"},
		{"a function", `{ data() {}, ...on }`, "Function"},
		{"a Date", `{ data: new Date(), ...on }`, "Date"},
		{"a String object", `{ data: new String('x'), ...on }`, "Object"},
		{"what looks like an ArrayBuffer", `{ data: Object.create(ArrayBuffer.prototype, { byteLength: { value: 8 } }), ...on }`, "ArrayBuffer"},
		{"what calls itself a Blob", `{ data: { size: 1, [Symbol.toStringTag]: 'Blob' }, ...on }`, "Blob"},
		{"a Proxy of an ArrayBuffer", `{ data: new Proxy(new ArrayBuffer(8), {}), ...on }`, "ArrayBuffer"},
		{"a revoked Proxy", `{ data: (({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable({}, {})), ...on }`, "Object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "SocketTask.send:fail parameter error: parameter.data should be String or ArrayBuffer instead of " + c.want
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				const sent = task.send(`+c.option+`);
				log.push('returned');
				log.push(await outcome(sent));
				task.send({ data: 'after' });
				log.push(tell(await received(task)));
				return log;`,
				"returned", "fail "+want, "complete "+want, "rejected "+want, `"after"`)
		})
	}
}

func TestSendBadOption(t *testing.T) {
	for option, want := range map[string]string{
		``:           "Undefined",
		`null`:       "Null",
		`'text'`:     "String",
		`[]`:         "Array",
		`1`:          "Number",
		`() => 'x'`:  "Function",
		`Symbol('')`: "Symbol",
	} {
		t.Run(option, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				return [await outcome(task.send(`+option+`))];`,
				"rejected SocketTask.send:fail parameter error: parameter should be Object instead of "+want)
		})
	}
}

func TestSendSettlesInOrder(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const results = [];
		const take = (res) => results.push(res);
		const sent = task.send({ data: '', success: take, complete: take, ...on });
		task.send({ data: 'x', ...on });
		log.push('returned');
		log.push(await outcome(sent));
		take(await task.send({ data: '', success: take, complete: take }));
		log.push(results.map((res) => res === results[0]).join());
		return log;`,
		"returned",
		"success sendSocketMessage:ok",
		"complete sendSocketMessage:ok",
		"success sendSocketMessage:ok",
		"complete sendSocketMessage:ok",
		"resolved sendSocketMessage:ok",
		"true,true,true",
	)
}

func TestSendWhenNotOpen(t *testing.T) {
	const notOpen = "SocketTask.send:fail SocketTask.readyState is not OPEN"
	for _, c := range []struct{ name, task string }{
		{"at once", `connectSocket({ url: echo() })`},
		{"connecting", `await connectSocket({ url: echo('delay=1s') })`},
		{"abandoned", `await connectSocket({ url: echo('delay=1s') }); task.close()`},
		{"closing", `await connectSocket({ url: echo() }); await opened(task); task.close()`},
		{"closed", `await connectSocket({ url: echo() }); await opened(task); task.close(); await closed(task)`},
		{"closed by the server", `await connectSocket({ url: echo('code=1000') }); await closed(task)`},
		{"dropped by the server", `await connectSocket({ url: echo('code=1006') }); await closed(task)`},
		{"closing behind the task's back", `await connectSocket({ url: echo() }); await opened(task); task.ws.close()`},
		{"failed", `await connectSocket({ url: echo('status=403') }); await closed(task)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = `+c.task+`;
				log.push(await outcome(task.send({ data: 'x', ...on })));
				log.push(await outcome(task.send({ data: new ArrayBuffer(1) })));
				return log;`,
				"fail "+notOpen, "complete "+notOpen, "rejected "+notOpen, "rejected "+notOpen)
		})
	}
}

func TestSendLargeMessages(t *testing.T) {
	for name, data := range map[string]string{
		"text":     `'0123456789abcdé'.repeat(1 << 18)`,
		"binary":   `Uint32Array.from({ length: 1 << 20 }, (_, i) => Math.imul(i, 2654435761)).buffer`,
		"a Blob":   `new Blob([new Uint8Array(4 << 20).fill(7)])`,
		"a window": `new Uint8Array((4 << 20) + 2).fill(9, 1).subarray(1, (4 << 20) + 1)`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const data = `+data+`;
				const task = await connectSocket({ url: echo() });
				await opened(task);
				task.send({ data });
				const { data: echoed } = await received(task);
				if (typeof data === 'string') return [new Blob([data]).size, echoed === data].map(String);
				const sent = new Uint8Array(await new Blob([data]).arrayBuffer());
				const back = new Uint8Array(echoed);
				return [back.length, back.length === sent.length && back.every((byte, i) => byte === sent[i])].map(String);`,
				fmt.Sprint(4<<20), "true")
		})
	}
}

func TestMessagesKeepTheirOrder(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const parts = ['a', new Blob(['b']), new ArrayBuffer(1), '', new ArrayBuffer(0), new Blob([]), 'c'];
		for (const data of parts) task.send({ data });
		let n = 0;
		await new Promise((resolve) => task.onMessage((res) => {
			log.push(tell(res));
			if (++n === parts.length) resolve();
		}));
		return log;`,
		`"a"`, "ArrayBuffer <62>", "ArrayBuffer <00>", `""`, "ArrayBuffer <>", "ArrayBuffer <>", `"c"`)
}

func TestServersMessages(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=3&size=10&code=1000') });
		await watch(task);
		return log;`,
		"open {}",
		`message "0000000000"`, `message "0000000001"`, `message "0000000002"`,
		`close 1000 ""`)
}

func TestServersLargeMessages(t *testing.T) {
	const size = 4 << 20
	expect(t, newPage(t, ""), fmt.Sprintf(`
		const text = await received(connectSocket({ url: echo('push=1&size=%[1]d') }));
		const binary = await received(connectSocket({ url: echo('push=1&size=%[1]d&type=binary') }));
		const zeros = new Uint8Array(binary.data).every((byte) => byte === 0);
		return [text.data.length, text.data === '0000000000'.padEnd(%[1]d, '.'), binary.data.byteLength, zeros].map(String);`, size),
		fmt.Sprint(size), "true", fmt.Sprint(size), "true")
}

func TestBufferedAmount(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const before = task.bufferedAmount;
		task.send({ data: new ArrayBuffer(1000) });
		const after = task.bufferedAmount;
		await received(task);
		return [before, after, task.bufferedAmount].map(String);`,
		"0", "1000", "0")
}

// The browser's own view of binary messages can be changed behind the task's
// back.
func TestBlobMessages(t *testing.T) {
	got := run[string](t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		task.ws.binaryType = 'blob';
		task.send({ data: new Uint8Array([1, 2]) });
		const { data } = await received(task);
		return data.constructor.name + ' ' + hex(await data.arrayBuffer());`)
	if want := "Blob 01 02"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What onMessage is not registered for is held, and given whole.
func TestHeldMessagesAreWhole(t *testing.T) {
	lines := run[[]string](t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=1000&size=10&code=1000') });
		await closed(task);
		await new Promise((resolve) => task.onMessage(({ data }) => log.push(data) === 1000 && resolve()));
		return log;`)
	for i, line := range lines {
		if want := fmt.Sprintf("%010d", i); line != want {
			t.Fatalf("message %d is %s of %s", i, line, strings.Join(lines[max(0, i-3):i+1], " "))
		}
	}
}
