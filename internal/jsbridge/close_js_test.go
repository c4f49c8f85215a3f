package jsbridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCloseReachesTheServer(t *testing.T) {
	ascii := strings.Repeat("r", 123)
	multibyte := strings.Repeat("é", 60) + "abc" // 123 bytes
	for _, c := range []struct {
		name, option string
		code         int
		reason       string
	}{
		{"nothing", ``, 1000, ""},
		{"undefined", `undefined`, 1000, ""},
		{"an empty object", `{}`, 1000, ""},
		{"fields undefined and null", `{ code: undefined, reason: null }`, 1000, ""},
		{"1000", `{ code: 1000 }`, 1000, ""},
		{"1000 and a reason", `{ code: 1000, reason: 'bye' }`, 1000, "bye"},
		{"a reason", `{ reason: 'bye' }`, 1000, "bye"},
		{"3000", `{ code: 3000, reason: '再见 🙂' }`, 3000, "再见 🙂"},
		{"4999", `{ code: 4999 }`, 4999, ""},
		{"123 bytes", `{ code: 4000, reason: '` + ascii + `' }`, 4000, ascii},
		{"123 bytes of several a character", `{ code: 4000, reason: '` + multibyte + `' }`, 4000, multibyte},
		{"a lone surrogate", `{ code: 4000, reason: 'a\ud83d' }`, 4000, "a\ufffd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const id = unique();
				const task = await connectSocket({ url: echo('id=' + id) });
				const ended = watch(task);
				await opened(task);
				log.push(await outcome(task.close(`+c.option+`)));
				await ended;
				const { code, reason } = await report(id);
				log.push('server ' + code + ' ' + JSON.stringify(reason));
				return log;`,
				"open {}",
				"resolved closeSocket:ok",
				fmt.Sprintf("close %d %q", c.code, c.reason),
				fmt.Sprintf("server %d %q", c.code, c.reason),
			)
		})
	}
}

func TestServersClose(t *testing.T) {
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"code=1000", []string{`close 1000 ""`}},
		{"code=1000&reason=bye", []string{`close 1000 "bye"`}},
		{"code=1001&reason=away", []string{`close 1001 "away"`}},
		{"code=1003", []string{`close 1003 ""`}},
		{"code=1005", []string{`close 1005 ""`}},
		{"code=1006&after=1", []string{
			`message "x"`,
			`error connectSocket:fail WebSocket connection to "` + server + `?code=1006&after=1" was lost`,
			`close 1006 "" unclean`,
		}},
		{"code=1011&reason=" + strings.Repeat("r", 123), []string{`close 1011 "` + strings.Repeat("r", 123) + `"`}},
		{"code=3000", []string{`close 3000 ""`}},
		{"code=4999&reason=%C3%A9", []string{`close 4999 "é"`}},
	} {
		t.Run(c.query, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo('`+c.query+`') });
				if (task.ws.url.includes('after=1')) task.onOpen(() => task.send({ data: 'x' }));
				await watch(task);
				return [...log, 'state ' + task.readyState];`,
				slices.Concat([]string{"open {}"}, c.want, []string{"state 3"})...)
		})
	}
}

func TestCloseRefused(t *testing.T) {
	const code = "invalid code %s: should be 1000 or 3000 to 4999"
	const whole = "invalid code: should be a whole number, 1000 or 3000 to 4999"
	const parameter = "parameter error: parameter%s should be %s instead of %s"
	for _, c := range []struct{ name, option, want string }{
		{"0", `{ code: 0, ...on }`, fmt.Sprintf(code, "0")},
		{"-1", `{ code: -1, ...on }`, fmt.Sprintf(code, "-1")},
		{"999", `{ code: 999, ...on }`, fmt.Sprintf(code, "999")},
		{"1001", `{ code: 1001, ...on }`, fmt.Sprintf(code, "1001")},
		{"1005", `{ code: 1005, ...on }`, fmt.Sprintf(code, "1005")},
		{"2999", `{ code: 2999, ...on }`, fmt.Sprintf(code, "2999")},
		{"5000", `{ code: 5000, ...on }`, fmt.Sprintf(code, "5000")},
		{"66536 is 1000 in 16 bits", `{ code: 66536, ...on }`, fmt.Sprintf(code, "66536")},
		{"1.5", `{ code: 1.5, ...on }`, whole},
		{"1000.5", `{ code: 1000.5, ...on }`, whole},
		{"NaN", `{ code: NaN, ...on }`, whole},
		{"Infinity", `{ code: Infinity, ...on }`, whole},
		{"1e300", `{ code: 1e300, ...on }`, whole},
		{"a string", `{ code: '1000', ...on }`, fmt.Sprintf(parameter, ".code", "Number", "String")},
		{"a BigInt", `{ code: 1000n, ...on }`, fmt.Sprintf(parameter, ".code", "Number", "BigInt")},
		{"a Number object", `{ code: new Number(1000), ...on }`, fmt.Sprintf(parameter, ".code", "Number", "Object")},
		{"a boolean", `{ code: true, ...on }`, fmt.Sprintf(parameter, ".code", "Number", "Boolean")},
		{"reason a number", `{ reason: 1, ...on }`, fmt.Sprintf(parameter, ".reason", "String", "Number")},
		{"reason an object", `{ reason: {}, ...on }`, fmt.Sprintf(parameter, ".reason", "String", "Object")},
		{"124 bytes", `{ reason: 'r'.repeat(124), ...on }`, "reason too long: 124 bytes of UTF-8, at most 123"},
		{"124 bytes of two a character", `{ reason: 'é'.repeat(62), ...on }`, "reason too long: 124 bytes of UTF-8, at most 123"},
		{"124 bytes of four a character", `{ reason: '🙂'.repeat(31), ...on }`, "reason too long: 124 bytes of UTF-8, at most 123"},
		{"42 lone surrogates", `{ reason: '\ud83d'.repeat(42), ...on }`, "reason too long: 126 bytes of UTF-8, at most 123"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				const closing = task.close(`+c.option+`);
				log.push('state ' + task.readyState);
				log.push(await outcome(closing));
				task.send({ data: 'still open' });
				log.push(tell(await received(task)));
				return log;`,
				"state 1",
				"fail closeSocket:fail "+c.want,
				"complete closeSocket:fail "+c.want,
				"rejected closeSocket:fail "+c.want,
				`"still open"`,
			)
		})
	}

	for option, want := range map[string]string{`null`: "Null", `1000`: "Number", `'bye'`: "String", `[]`: "Array"} {
		t.Run(option, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				await opened(task);
				log.push(await outcome(task.close(`+option+`)));
				task.send({ data: 'still open' });
				log.push(tell(await received(task)));
				return log;`,
				"rejected closeSocket:fail "+fmt.Sprintf(parameter, "", "Object", want),
				`"still open"`)
		})
	}
}

func TestCloseSettlesInOrder(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const closing = task.close({ ...on });
		log.push('returned ' + task.readyState);
		log.push(await outcome(closing));
		await closed(task);
		log.push('state ' + task.readyState);
		return log;`,
		"returned 2",
		"success closeSocket:ok",
		"complete closeSocket:ok",
		"resolved closeSocket:ok",
		"state 3",
	)
}

func TestCloseAgain(t *testing.T) {
	expect(t, newPage(t, ""), `
		const id = unique();
		const task = await connectSocket({ url: echo('id=' + id) });
		const ended = watch(task);
		await opened(task);
		log.push(await outcome(task.close({ code: 4001, reason: 'first' })));
		log.push(await outcome(task.close({ code: 4002, reason: 'second', ...on })));
		log.push(await outcome(task.close({ code: 1 })));
		await ended;
		log.push(await outcome(task.close({ code: 4003 })));
		log.push('server ' + (await report(id)).code);
		return log;`,
		"open {}",
		"resolved closeSocket:ok",
		"success closeSocket:ok",
		"complete closeSocket:ok",
		"resolved closeSocket:ok",
		"resolved closeSocket:ok",
		`close 4001 "first"`,
		"resolved closeSocket:ok",
		"server 4001",
	)
}

func TestCloseWhileConnecting(t *testing.T) {
	for name, how := range map[string]string{
		"at once":        `const task = connectSocket({ url: echo('delay=1s') });`,
		"when resolved":  `const task = await connectSocket({ url: echo('delay=1s') });`,
		"of one refused": `const task = await connectSocket({ url: echo('delay=1s&status=403') });`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, ""), how+`
				const ended = watch(task);
				log.push(await outcome(task.close({ code: 4000, reason: 'changed my mind' })));
				log.push('state ' + task.readyState);
				await ended;
				return log;`,
				"resolved closeSocket:ok",
				"state 2",
				`close 1006 "" unclean`,
			)
		})
	}
	t.Run("refused", func(t *testing.T) {
		expect(t, newPage(t, ""), `
			const task = await connectSocket({ url: echo() });
			log.push(await outcome(task.close({ code: 1 })));
			await opened(task);
			return log;`,
			"rejected closeSocket:fail invalid code 1: should be 1000 or 3000 to 4999")
	})
}

func TestCloseCrossesTheServers(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('code=4001&reason=server&after=1') });
		const ended = watch(task);
		await opened(task);
		task.onMessage(() => task.close({ code: 4002 }));
		task.send({ data: 'x' });
		await ended;
		const [close] = log.splice(-1);
		return [...log, close.replace(/4001 "server"|4002 ""/, 'either')];`,
		"open {}", `message "x"`, "close either")
}

// What was sent before a close arrives before it.
func TestCloseAfterSends(t *testing.T) {
	expect(t, newPage(t, ""), `
		const id = unique();
		const task = await connectSocket({ url: echo('id=' + id) });
		await opened(task);
		for (let i = 0; i < 100; i++) task.send({ data: new ArrayBuffer(10000) });
		task.close();
		await closed(task);
		const { messages, code } = await report(id);
		return [messages + ' ' + code];`, "100 1000")
}
