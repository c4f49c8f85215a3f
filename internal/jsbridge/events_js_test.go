package jsbridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEventsInOrder(t *testing.T) {
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"push=2&size=10&code=3000&reason=r", []string{"open {}", `message "0000000000"`, `message "0000000001"`, `close 3000 "r"`}},
		{"code=1006&after=1", []string{"open {}", `message "x"`,
			`error connectSocket:fail WebSocket connection to "` + server + `?code=1006&after=1" was lost`, `close 1006 "" unclean`}},
		{"status=404", []string{
			`error connectSocket:fail WebSocket connection to "` + server + `?status=404" failed`, `close 1006 "" unclean`}},
	} {
		for name, register := range map[string]string{
			"at once":       `const task = connect(); await watch(task);`,
			"when resolved": `const task = connect(); await watch(await task);`,
			"when closed": `const task = connect();
				while (task.readyState !== task.CLOSED) await sleep(10);
				await sleep(10);
				await watch(task);`,
			"last kind first": `const task = connect();
				while (task.readyState !== task.CLOSED) await sleep(10);
				await sleep(10);
				for (const kind of ['Close', 'Error', 'Message', 'Open']) task['on' + kind](note(kind.toLowerCase()));
				await sleep(30);`,
		} {
			t.Run(c.query+" "+name, func(t *testing.T) {
				expect(t, newPage(t, ""), `
					const connect = () => {
						const promise = connectSocket({ url: echo('`+c.query+`') });
						const { ws } = promise;
						if (ws.url.includes('after=1')) ws.addEventListener('open', () => ws.send('x'));
						return promise;
					};
					`+register+`
					return log;`, c.want...)
			})
		}
	}
}

// Each kind waits for its own first handler, and for no other's.
func TestHandlersRegisteredLate(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=2&size=10') });
		task.onOpen(note('open'));
		await arrived(task, 2);
		task.onMessage(note('message'));
		log.push('registered');
		await null;
		log.push('a microtask later');
		task.onMessage(note('second'));
		task.onOpen(note('second'));
		task.send({ data: 'x' });
		await new Promise((resolve) => task.onMessage(resolve));
		task.close();
		while (task.readyState !== task.CLOSED) await sleep(10);
		await sleep(10);
		task.onClose(note('close'));
		await sleep(10);
		task.onClose(note('second'));
		task.onError(note('error'));
		await sleep(10);
		return log;`,
		"open {}",
		"registered",
		`message "0000000000"`,
		`message "0000000001"`,
		"a microtask later",
		`message "x"`,
		`second "x"`,
		`close 1000 ""`,
	)
}

// All that are registered before the microtask are given what was held.
func TestSeveralHandlersRegisteredLate(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=2&size=10&code=1000') });
		while (task.readyState !== task.CLOSED) await sleep(10);
		await sleep(10);
		task.onMessage(note('first'));
		task.onMessage(note('second'));
		task.onOpen(() => task.onClose(note('close')));
		await sleep(10);
		return log;`,
		`first "0000000000"`,
		`second "0000000000"`,
		`first "0000000001"`,
		`second "0000000001"`,
		`close 1000 ""`,
	)
}

// Messages that come while held ones are replayed stay behind those.
func TestReplayKeepsOrder(t *testing.T) {
	lines := run[[]string](t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=3000&size=10&code=1000') });
		await opened(task);
		await sleep(5); // some are held now, others on their way
		await new Promise((resolve) => {
			task.onMessage(({ data }) => log.push(data));
			task.onClose(resolve);
		});
		return log;`)
	if len(lines) != 3000 {
		t.Fatalf("%d messages of 3000", len(lines))
	}
	for i, line := range lines {
		if want := fmt.Sprintf("%010d", i); line != want {
			t.Fatalf("message %d is %s", i, line)
		}
	}
}

func TestSameHandlerTwice(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=1&size=10&code=1000') });
		const f = note('f');
		for (const kind of ['Open', 'Message', 'Error', 'Close', 'Message', 'Close']) task['on' + kind](f);
		task.onMessage(note('g'));
		await watch(task, 'watch ');
		return log;`,
		"f {}", "watch open {}",
		`f "0000000000"`, `g "0000000000"`, `watch message "0000000000"`,
		`f 1000 ""`, `watch close 1000 ""`,
	)
}

func TestHandlerIsNoFunction(t *testing.T) {
	const warning = "connectSocket: a handler should be Function instead of %s; it is ignored"
	for handler, want := range map[string]string{
		``: "Undefined", `null`: "Null", `1`: "Number", `'f'`: "String", `{}`: "Object",
		`{ handleEvent() {} }`: "Object", `Symbol()`: "Symbol", `1n`: "BigInt",
		`(({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable({}, {}))`: "Object",
	} {
		t.Run(handler, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo('push=1&size=10&code=1000') });
				for (const kind of ['Open', 'Message', 'Error', 'Close']) task['on' + kind](`+handler+`);
				onSocketMessage(`+handler+`);
				await watch(task); // what came is held for a function
				return [...new Set(warnings), warnings.length + ' warnings', ...log];`,
				fmt.Sprintf(warning, want), "5 warnings",
				"open {}", `message "0000000000"`, `close 1000 ""`)
		})
	}
}

func TestHandlersThatThrow(t *testing.T) {
	expect(t, newPage(t, ""), `
		const thrower = (what) => (res) => {
			log.push('thrown');
			throw what;
		};
		const option = { url: echo('push=2&size=10&code=1000'), success: thrower(1), complete: thrower(new Error('complete')) };
		const task = await connectSocket(option);
		task.onOpen(thrower('open'));
		task.onMessage(thrower(null));
		task.onClose(thrower({ toString() { return 'close' } }));
		onSocketMessage(thrower('global'));
		await watch(task);
		log.push(...errors.splice(0));
		await outcome(connectSocket({ fail: thrower('fail'), complete: thrower('complete') }));
		await outcome(task.send({ data: 1, fail: thrower('send'), complete: note('complete') }));
		await outcome(task.close({ success: thrower('close'), complete: note('complete') }));
		await sleep(10);
		return [...log, ...errors.splice(0)];`,
		"thrown", "thrown", // success, complete
		"thrown", "open {}",
		"thrown", `message "0000000000"`, "thrown",
		"thrown", `message "0000000001"`, "thrown",
		"thrown", `close 1000 ""`,
		"error 1", "error Error: complete", "error open",
		"error null", "error global", "error null", "error global", "error close",
		"thrown", "thrown",
		"thrown", "complete SocketTask.send:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number",
		"thrown", "complete closeSocket:ok",
		"error fail", "error complete", "error send", "error close",
	)
}

// Wherever a callback throws, all others are told the same, and window.onerror is told once.
func TestThrowAtEveryPlace(t *testing.T) {
	const scenario = `
		let thrown = false;
		const at = (name) => (res) => {
			log.push(name + ' ' + tell(res));
			if (name !== place || thrown) return;
			thrown = true;
			throw new RangeError('boom');
		};
		const callbacks = (name) => ({ success: at(name + ' success'), fail: at(name + ' fail'), complete: at(name + ' complete') });
		const register = (name, functions) => {
			for (const [kind, on] of Object.entries(functions)) for (const f of ['first', 'second', 'third']) on(at([name, kind, f].join(' ')));
		};
		const own = (task) => ({
			open: (f) => task.onOpen(f),
			message: (f) => task.onMessage(f),
			error: (f) => task.onError(f),
			close: (f) => task.onClose(f),
		});
		const ended = await connectSocket({ url: echo('push=1&size=10&code=1000') });
		while (ended.readyState !== ended.CLOSED) await sleep(5);
		await sleep(20);
		register('late', own(ended));
		await sleep(20);
		register('global', { open: onSocketOpen, message: onSocketMessage, error: onSocketError, close: onSocketClose });

		log.push(await outcome(connectSocket({ url: 1, ...callbacks('refused') })));
		const task = connectSocket({ url: echo(), ...callbacks('connect') });
		register('own', own(task));
		await opened(task);
		const echoed = received(task);
		log.push(await outcome(task.send({ data: 'x', ...callbacks('send') })));
		await echoed;
		log.push(await outcome(task.send({ data: 1, ...callbacks('bad send') })));
		log.push(await outcome(sendSocketMessage({ data: 1, ...callbacks('global send') })));
		log.push(await outcome(task.close({ code: 1, ...callbacks('bad close') })));
		log.push(await outcome(closeSocket({ code: 1, ...callbacks('global close') })));
		log.push(await outcome(task.close(callbacks('close'))));
		await closed(task);

		const lost = await connectSocket({ url: echo('status=404') });
		register('lost', own(lost));
		await closed(lost);
		return [...log, ...errors.splice(0)];`
	in := func(t *testing.T, place string) []string {
		return run[[]string](t, newPage(t, ""), fmt.Sprintf("const place = %q;", place)+scenario)
	}
	var calm []string
	t.Run("nowhere", func(t *testing.T) { calm = in(t, "") })
	for _, name := range []string{"refused fail", "refused complete", "connect success", "connect complete", "send success", "send complete",
		"bad send fail", "bad send complete", "global send fail", "global send complete", "bad close fail", "bad close complete",
		"global close fail", "global close complete", "close success", "close complete",
		"own open", "own message", "own close", "global open", "global message", "global error", "global close",
		"lost error", "lost close", "late open", "late message", "late close"} {
		place := name
		if slices.ContainsFunc(calm, func(line string) bool { return strings.HasPrefix(line, name+" second ") }) {
			place += " second"
		}
		t.Run(place, func(t *testing.T) {
			got, want := strings.Join(in(t, place), "\n\t"), strings.Join(append(slices.Clone(calm), "error RangeError: boom"), "\n\t")
			if got != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, want)
			}
		})
	}
}

// Without reportError, as in older browsers, what is thrown still gets there.
func TestThrowWithoutReportError(t *testing.T) {
	expect(t, newPage(t, ""), `
		const { reportError } = globalThis;
		delete globalThis.reportError;
		const task = await connectSocket({ url: echo('code=1000') });
		task.onOpen(() => {
			throw new Error('open');
		});
		await watch(task);
		globalThis.reportError = reportError;
		return [...log, ...errors.splice(0)];`,
		"open {}", `close 1000 ""`, "error Error: open")
}

func TestHandlersThatCallAgain(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		const ended = watch(task);
		let otherEnded;
		task.onOpen(() => {
			task.send({ data: 'a', complete: note('sent') });
			log.push('a is on its way');
		});
		task.onMessage(({ data }) => {
			if (data !== 'a') return;
			task.send({ data: 'b' });
			task.onMessage(note('late')); // not for this message
			log.push('b is on its way');
		});
		task.onMessage(({ data }) => {
			if (data !== 'b') return;
			const other = connectSocket({ url: echo(), ...on });
			otherEnded = watch(other, 'other ');
			other.onOpen(() => {
				task.close({ complete: note('closing') });
				log.push('state ' + task.readyState);
			});
			task.onClose(() => {
				log.push('state ' + task.readyState);
				other.close();
				task.close();
				task.send({ data: 'c', complete: note('not sent') });
			});
		});
		await ended;
		await otherEnded;
		return log;`,
		"open {}",
		"a is on its way",
		"sent sendSocketMessage:ok",
		`message "a"`,
		"b is on its way",
		`message "b"`,
		`late "b"`,
		"success connectSocket:ok",
		"complete connectSocket:ok",
		`other open {}`,
		"state 2",
		"closing closeSocket:ok",
		`close 1000 ""`,
		"state 3",
		"not sent SocketTask.send:fail SocketTask.readyState is not OPEN",
		`other close 1000 ""`,
	)
}

// A handler that makes the WebSocket dispatch to itself does not overtake the
// handlers behind it.
func TestReentrantEvent(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		task.onMessage(({ data }) => {
			log.push('first ' + data);
			if (data.length < 3) task.ws.dispatchEvent(new MessageEvent('message', { data: data + 'x' }));
		});
		task.onMessage(({ data }) => log.push('second ' + data));
		task.send({ data: 'x' });
		await received(task);
		await sleep(10);
		return log;`,
		"first x", "second x", "first xx", "second xx", "first xxx", "second xxx")
}

// More events within a handler than the task's channel takes.
func TestReentrantFlood(t *testing.T) {
	lines := run[[]int](t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		await opened(task);
		const seen = [];
		task.onMessage(({ data }) => {
			seen.push(data);
			if (data > 0) return;
			for (let i = 1; i <= 1000; i++) task.ws.dispatchEvent(new MessageEvent('message', { data: i }));
		});
		task.ws.dispatchEvent(new MessageEvent('message', { data: 0 }));
		return seen;`)
	if len(lines) != 1001 {
		t.Fatalf("%d messages, want 1001", len(lines))
	}
	for i, n := range lines {
		if n != i {
			t.Fatalf("message %d at place %d", n, i)
		}
	}
}

func TestHeldTooMuch(t *testing.T) {
	const told = "error connectSocket:fail too many messages without an onMessage handler, closed with 4008"
	for _, c := range []struct {
		name, settings, query string
		held                  int
		shed                  bool
	}{
		{"messages within", "({ maxHeldMessages: 3 })", "push=3&size=10", 3, false},
		{"messages beyond", "({ maxHeldMessages: 3 })", "push=4&size=10", 3, true},
		{"bytes within", "({ maxHeldBytes: 30 })", "push=3&size=10&type=binary", 3, false},
		{"bytes beyond", "({ maxHeldBytes: 39 })", "push=9&size=10&type=binary", 3, true},
		{"one message beyond", "({ maxHeldBytes: 9 })", "push=1&size=10&type=binary", 0, true},
		{"text within", "({ maxHeldBytes: 20 })", "push=1&size=10", 1, false}, // two bytes for a UTF-16 unit
		{"text beyond", "({ maxHeldBytes: 19 })", "push=1&size=10", 0, true},
		{"messages within the default", "", "push=10000&size=10", 10000, false},
		{"messages beyond the default", "", "push=10001&size=10", 10000, true},
		{"bytes within the default", "", "push=16&size=1048576&type=binary", 16, false},
		{"bytes beyond the default", "", "push=17&size=1048576&type=binary", 16, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := []string{`close 1000 ""`, "server 1006"}
			if c.shed {
				want = []string{told, `close 4008 ""`, "server 4008"}
			}
			// Where the server closes first, what it saw of our close is 1006.
			query := c.query
			if !c.shed {
				query += "&code=1000"
			}
			expect(t, newPage(t, c.settings), `
				const id = unique();
				const task = await connectSocket({ url: echo('`+query+`&id=' + id) });
				task.onError(note('error'));
				task.onClose(note('close'));
				await closed(task);
				log.push('server ' + `+map[bool]string{true: "(await report(id)).code", false: "1006"}[c.shed]+`);
				let held = 0;
				task.onMessage(() => held++);
				await sleep(10);
				log.push(held + ' held');
				return log;`,
				append(want, fmt.Sprintf("%d held", c.held))...)
		})
	}
}

func TestNothingAfterHeldTooMuch(t *testing.T) {
	expect(t, newPage(t, "({ maxHeldMessages: 2 })"), `
		const task = await connectSocket({ url: echo('push=100&size=10') });
		const shed = new Promise((resolve) => task.onError(resolve));
		log.push(tell(await shed));
		log.push('state ' + task.readyState);
		log.push(await outcome(task.send({ data: 'x' })));
		log.push(await outcome(task.close({ code: 4000 })));
		await watch(task);
		return log;`,
		"connectSocket:fail too many messages without an onMessage handler, closed with 4008",
		"state 2",
		"rejected SocketTask.send:fail SocketTask.readyState is not OPEN",
		"resolved closeSocket:ok",
		"open {}",
		`message "0000000000"`,
		`message "0000000001"`,
		`close 4008 ""`,
	)
}

// What was given has room again.
func TestHeldRoomComesBack(t *testing.T) {
	expect(t, newPage(t, "({ maxHeldMessages: 3 })"), `
		let given = 0;
		for (let i = 0; i < 3; i++) {
			const task = await connectSocket({ url: echo('push=3&size=10') });
			await arrived(task, 3);
			await new Promise((resolve) => task.onMessage(() => ++given % 3 === 0 && resolve()));
			task.close();
			await closed(task);
		}
		return [given + ' given', stats().slots <= 16 ? 'few slots' : stats().slots + ' slots'];`,
		"9 given", "few slots")
}

func TestOneCloseInAnyCase(t *testing.T) {
	for _, c := range []string{
		`task.close();`,
		`task.close(); task.close();`,
		`task.close(); task.ws.close();`,
		`task.ws.close();`,
		`task.ws.dispatchEvent(new CloseEvent('close', { code: 1000, wasClean: true }));`,
		`await opened(task); task.close(); task.ws.dispatchEvent(new Event('error'));`,
		`await opened(task); task.send({ data: 'x' }); await received(task); task.close();`,
		`task.onOpen(() => task.close());`,
		`task.onOpen(() => { task.close(); task.ws.dispatchEvent(new CloseEvent('close', { code: 1000, wasClean: true })); });`,
		`task.onClose(() => task.close());`,
		`task.ws.dispatchEvent(new CloseEvent('close', { code: 1000 })); task.ws.dispatchEvent(new CloseEvent('close', { code: 1000 }));`,
	} {
		t.Run(c, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const task = await connectSocket({ url: echo() });
				let closes = 0;
				task.onClose(() => closes++);
				const ended = closed(task);
				`+c+`
				await sleep(0);
				task.close();
				await ended;
				await sleep(30);
				return [closes + ' ' + task.readyState];`, "1 3")
		})
	}
}

// WebKit does so with ws: in an https: page.
func TestErrorWithoutClose(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1 })"), `
		const task = await connectSocket({ url: echo('delay=1s') });
		const ended = watch(task);
		task.ws.dispatchEvent(new Event('error'));
		await ended;
		log.push(await outcome(connectSocket({ url: echo() })));
		return log;`,
		`error connectSocket:fail WebSocket connection to "`+server+`?delay=1s" failed`,
		`close 1006 "" unclean`,
		"resolved connectSocket:ok",
	)
}

// Events that arrived before the promise was resolved are delivered first, whatever their handlers cause.
func TestHandlerOfAnEarlyEvent(t *testing.T) {
	expect(t, newPage(t, ""), `
		const message = (data) => promise.ws.dispatchEvent(new MessageEvent('message', { data }));
		const promise = connectSocket({
			url: echo('delay=1s'),
			success() {
				promise.ws.dispatchEvent(new Event('open'));
				message('first');
			},
		});
		promise.onOpen(() => message('second'));
		promise.onMessage(note('message'));
		await promise;
		await sleep(10);
		promise.close();
		return log;`, `message "first"`, `message "second"`)
}
