package jsbridge

import (
	"fmt"
	"testing"
)

func TestSixSockets(t *testing.T) {
	const refusal = "connectSocket:fail exceed max concurrent count 5"
	expect(t, newPage(t, ""), `
		const tasks = [];
		for (let i = 0; i < 5; i++) tasks.push(connectSocket({ url: echo() }));
		log.push(await outcome(connectSocket({ url: echo(), ...on })));
		for (const task of tasks) await opened(task);
		log.push(await outcome(connectSocket({ url: echo() })));
		tasks[2].close(); // its slot is free at once
		log.push(await outcome(connectSocket({ url: echo() })));
		log.push(await outcome(connectSocket({ url: echo() })));
		return log;`,
		"fail "+refusal,
		"complete "+refusal,
		"rejected "+refusal,
		"rejected "+refusal,
		"resolved connectSocket:ok",
		"rejected "+refusal,
	)
}

// However a task ends, one slot comes back for it: six times over there is
// room for five, and then for no sixth.
func TestSlotsComeBackOnce(t *testing.T) {
	for _, c := range []struct{ name, end string }{
		{"close", `const task = await connectSocket({ url: echo() }); await opened(task); task.close(); task.close();`},
		{"close and its event", `const task = await connectSocket({ url: echo() }); await opened(task); task.close(); await closed(task); task.close();`},
		{"close at once", `connectSocket({ url: echo() }).close();`},
		{"close while connecting", `const task = await connectSocket({ url: echo('delay=5s') }); task.close(); await closed(task);`},
		{"the server's close", `await closed(connectSocket({ url: echo('code=1001') }));`},
		{"the server's close, unwatched", `const task = await connectSocket({ url: echo('code=1001') });
			while (task.readyState !== task.CLOSED) await sleep(5);
			await sleep(5);`},
		{"a dropped connection", `await closed(connectSocket({ url: echo('code=1006') }));`},
		{"a refused handshake", `await closed(connectSocket({ url: echo('status=500') }));`},
		{"an error without a close", `const task = await connectSocket({ url: echo('delay=5s') }); task.ws.dispatchEvent(new Event('error')); await closed(task);`},
		{"a closed port", `await closed(connectSocket({ url: 'ws://127.0.0.1:1' }));`},
		{"timeout", `await closed(connectSocket({ url: echo('delay=5s'), timeout: 20 }));`},
		{"timeout, then close", `const task = connectSocket({ url: echo('delay=5s'), timeout: 20 }); task.onError(() => task.close()); await closed(task); task.close();`},
		{"too much held", `const task = connectSocket({ url: echo('push=9&size=10') }); await closed(task);`},
		{"refused constructor", `await outcome(connectSocket({ url: echo(), protocols: ['a', 'a'] }));`},
		{"refused call", `await outcome(connectSocket({ url: echo(), header: [] }));`},
		{"the WebSocket's close", `const task = await connectSocket({ url: echo() }); await opened(task); task.ws.close(); await closed(task);`},
		{"closeSocket", `connectSocket({ url: echo() }); await closeSocket();`},
		{"a handler that throws", `const task = await connectSocket({ url: echo('code=1000') });
			task.onClose(() => { throw 1; });
			await closed(task);
			errors.length = 0;`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, "({ maxHeldMessages: 8 })"), `
				const end = async () => {`+c.end+`};
				for (let i = 0; i < 6; i++) await end();
				await Promise.all(Array.from({ length: 5 }, end));
				for (let i = 0; i < 6; i++) log.push(await outcome(connectSocket({ url: echo() })));
				return log;`,
				"resolved connectSocket:ok",
				"resolved connectSocket:ok",
				"resolved connectSocket:ok",
				"resolved connectSocket:ok",
				"resolved connectSocket:ok",
				"rejected connectSocket:fail exceed max concurrent count 5",
			)
		})
	}
}

func TestMaxSockets(t *testing.T) {
	for _, c := range []struct {
		settings string
		want     int
	}{
		{"({ maxSockets: 1 })", 1},
		{"({ maxSockets: 12 })", 12},
		{"({ maxSockets: 0 })", 5},
		{"({ maxSockets: -1 })", 5},
		{"({ maxSockets: undefined })", 5},
		{"({ onLimit: 'fail' })", 5},
	} {
		t.Run(c.settings, func(t *testing.T) {
			expect(t, newPage(t, c.settings), fmt.Sprintf(`
				for (let i = 0; i < %d; i++) await connectSocket({ url: echo() });
				return [await outcome(connectSocket({ url: echo() }))];`, c.want),
				fmt.Sprintf("rejected connectSocket:fail exceed max concurrent count %d", c.want))
		})
	}
}

// Until its close event the closed task is there beside the new ones.
func TestReconnectInOnClose(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1 })"), `
		let n = 0;
		await new Promise((resolve) => {
			const connect = () => {
				if (++n > 5) return resolve();
				const promise = connectSocket({ url: echo('code=1001'), ...on });
				promise.onClose(connect);
			};
			connect();
		});
		return [...new Set(log)];`,
		"success connectSocket:ok", "complete connectSocket:ok")
}

func TestReplace(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1, onLimit: 'replace' })"), `
		const id = unique();
		const first = await connectSocket({ url: echo('id=' + id) });
		const firstEnded = watch(first, 'first ');
		await opened(first);
		const second = connectSocket({ url: echo(), ...on });
		watch(second, 'second ');
		log.push('first is ' + first.readyState);
		await firstEnded;
		second.send({ data: 'x' });
		await received(second);
		log.push('server ' + (await report(id)).code);
		return log.filter((line) => !line.startsWith('second open'));`,
		"first open {}",
		"first is 2",
		"success connectSocket:ok",
		"complete connectSocket:ok",
		`first close 1000 ""`,
		`second message "x"`,
		"server 1000",
	)
}

func TestReplaceOneThatIsConnecting(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1, onLimit: 'replace' })"), `
		const tasks = [];
		for (let i = 0; i < 4; i++) tasks.push(connectSocket({ url: echo(i < 3 ? 'delay=5s' : '') }));
		const ended = tasks.slice(0, 3).map((task, i) => watch(task, i + ' '));
		await Promise.all(ended);
		tasks[3].onOpen(note('3 open'));
		await opened(tasks[3]);
		return log.sort();`,
		`0 close 1006 "" unclean`,
		`1 close 1006 "" unclean`,
		`2 close 1006 "" unclean`,
		`3 open {}`,
	)
}

func TestReplaceTheOldest(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 2, onLimit: 'replace' })"), `
		const tasks = [];
		for (let i = 0; i < 3; i++) {
			const task = await connectSocket({ url: echo() });
			await opened(task);
			tasks.push(task);
		}
		return [tasks.map((task) => task.readyState > task.OPEN).join()];`,
		"true,false,false")
}

// A new one that fails has taken nobody's place.
func TestReplaceByOneThatIsRefused(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1, onLimit: 'replace' })"), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		await outcome(connectSocket({ url: echo(), protocols: ['a', 'a'] }));
		await outcome(connectSocket({ url: 1 }));
		task.send({ data: 'still open' });
		return [tell(await received(task))];`,
		`"still open"`)
}

func TestDomains(t *testing.T) {
	const refusal = "rejected connectSocket:fail url not in domain list"
	const settings = "({ domains: ['ws://127.0.0.1:1234', '%s'] })"
	for _, c := range []struct{ name, url, want string }{
		{"listed", `echo()`, "resolved connectSocket:ok"},
		{"listed, in another form", `echo().replace('ws', 'WS') + 'x=y'`, "resolved connectSocket:ok"},
		{"with a user", `echo().replace('//', '//user:password@')`, "resolved connectSocket:ok"},
		{"another host", `echo().replace('127.0.0.1', 'localhost')`, refusal},
		{"another port", `'ws://127.0.0.1:1235'`, refusal},
		{"no port", `'ws://127.0.0.1'`, refusal},
		{"another scheme", `echo().replace('ws', 'wss')`, refusal},
		{"listed as a user", `'ws://127.0.0.1:1234@localhost'`, refusal},
		{"listed as a prefix", `'ws://127.0.0.1:1234.example'`, `rejected connectSocket:fail invalid url "ws://127.0.0.1:1234.example"`},
		{"invalid", `'ftp://127.0.0.1:1234'`, `rejected connectSocket:fail invalid url "ftp://127.0.0.1:1234"`},
		{"listed, by http", `echo().replace('ws', 'http')`, "resolved connectSocket:ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			origin := run[string](t, newPage(t, ""), `return new URL(echo()).origin;`)
			expect(t, newPage(t, fmt.Sprintf(settings, origin)),
				`return [await outcome(connectSocket({ url: `+c.url+` }))];`, c.want)
		})
	}
}
