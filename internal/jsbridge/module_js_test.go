package jsbridge

import (
	"testing"

	"connectsocket/internal/task"
)

func TestModuleThatHasDied(t *testing.T) {
	const died = "connectSocket:fail the module has died: RuntimeError: unreachable"
	p := newPage(t, "")
	t.Cleanup(func() { set = task.NewSet(task.Limits{}, 0) }) // the dead do not clean up
	expect(t, p, `
		const quiet = await connectSocket({ url: echo() });
		const busy = await connectSocket({ url: echo() });
		const ended = watch(busy);
		onSocketError(note('global error'));
		onSocketClose(note('global close'));
		await opened(busy);
		bridge.module.die(new WebAssembly.RuntimeError('unreachable'));
		bridge.module.die(new Error('again'));
		await ended;
		log.push([busy.readyState, busy.ws.readyState > 1, quiet.ws.readyState > 1].join());
		await watch(quiet, 'quiet ');
		log.push(await outcome(busy.send({ data: 'x' })));
		log.push(await outcome(busy.close()));
		const refused = connectSocket({ url: echo(), ...on });
		log.push(await outcome(refused));
		await watch(refused, 'refused ');
		log.push(await outcome(sendSocketMessage({ data: 'x' })));
		log.push(await outcome(closeSocket()));
		onSocketOpen(note('global open'));
		log.push(JSON.stringify(stats()));
		return log;`,
		"open {}",
		"global error "+died,
		`global close 1006 "" unclean`,
		"error "+died,
		`close 1006 "" unclean`,
		"3,true,true",
		"quiet error "+died,
		`quiet close 1006 "" unclean`,
		"rejected SocketTask.send:fail SocketTask.readyState is not OPEN",
		"resolved closeSocket:ok",
		"fail "+died,
		"complete "+died,
		"rejected "+died,
		"refused error "+died,
		`refused close 1006 "" unclean`,
		"rejected sendSocketMessage:fail the module has died: RuntimeError: unreachable",
		"rejected closeSocket:fail the module has died: RuntimeError: unreachable",
		`{"tasks":0,"slots":0,"slotsInUse":0}`,
	)
}

// Wherever the module breaks off, calls and tasks end as of a module that has
// died.
func TestModuleThatBreaksOff(t *testing.T) {
	for _, c := range []struct{ function, accepted, use string }{
		{"configure", "", ``},
		{"connect", "", ``},
		{"evict", "", ``},
		{"listen", "", ``},
		{"event", "resolved connectSocket:ok", ``},
		{"next", "resolved connectSocket:ok", `broken.family.onSocketOpen(() => {})`},
		{"state", "resolved connectSocket:ok", `task.readyState`},
		{"send", "resolved connectSocket:ok", `task.send({ data: 'x' })`},
		{"down", "resolved connectSocket:ok", `task.close()`},
		{"close", "resolved connectSocket:ok", `task.close()`},
		{"newest", "resolved connectSocket:ok", `broken.family.closeSocket()`},
		{"discard", "resolved connectSocket:ok", `broken.family.connectSocket({ url: echo(), protocols: ['a', 'a'], fail() {} })`},
	} {
		t.Run(c.function, func(t *testing.T) {
			const died = "connectSocket:fail the module has died: RuntimeError: unreachable"
			accepted := c.accepted
			if accepted == "" {
				accepted = "rejected " + died
			}
			expect(t, newPage(t, ""), `
				const door = (name) => () => {
					if (name === '`+c.function+`') throw new WebAssembly.RuntimeError('unreachable');
					return { connect: 1, close: true }[name] ?? 0;
				};
				const broken = createBridge();
				broken.module.exports = new Proxy({}, { get: (_, name) => door(name) });
				const task = broken.family.connectSocket({ url: echo() });
				const ended = watch(task);
				task.then(note('resolved'), note('rejected'));
				broken.start('', null, ...['configure', 'connect', 'renew', 'close'].map(door));
				await outcome(task);
				`+c.use+`;
				await ended;
				log.push(await outcome(broken.family.connectSocket({ url: echo() })));
				return log;`,
				accepted, "error "+died, `close 1006 "" unclean`, "rejected "+died)
		})
	}
}

func TestModuleThatCannotBeLoaded(t *testing.T) {
	const failed = "the module is nowhere"
	expect(t, newPage(t, ""), `
		const broken = createBridge();
		const { connectSocket, sendSocketMessage, closeSocket, onSocketOpen } = broken.family;
		const promise = connectSocket({ url: echo(), ...on });
		const ended = watch(promise);
		const sent = promise.send({ data: 'x' });
		const closing = closeSocket();
		onSocketOpen(note('global open'));
		promise.catch(note('rejected'));
		broken.module.fail('`+failed+`', true);
		await ended;
		log.push(await outcome(sent));
		log.push(await outcome(closing));
		log.push(await outcome(connectSocket({ url: echo() }).catch((res) => Promise.reject(res))));
		log.push(await outcome(sendSocketMessage({ data: 'x' })));
		log.push(await outcome(broken.module.ready));
		return log;`,
		"fail connectSocket:fail "+failed,
		"complete connectSocket:fail "+failed,
		"rejected connectSocket:fail "+failed,
		"error connectSocket:fail "+failed,
		`close 1006 "" unclean`,
		"rejected SocketTask.send:fail "+failed,
		"rejected closeSocket:fail "+failed,
		"rejected connectSocket:fail "+failed,
		"rejected sendSocketMessage:fail "+failed,
		"rejected Error: "+failed,
	)
}

func TestModuleOfAnotherVersion(t *testing.T) {
	expect(t, newPage(t, ""), `
		const script = createBridge({}, '1.2.3');
		const promise = script.family.connectSocket({ url: echo() });
		script.start('1.2.2', () => {});
		return [await outcome(promise)];`,
		"rejected connectSocket:fail the module is of version 1.2.2, the script of 1.2.3")
}

// What is called before the module runs waits for it, and its WebSocket does
// not: what that tells is held.
func TestCallsBeforeTheModule(t *testing.T) {
	p := newWaitingPage(t, "")
	expect(t, p, `
		const promise = connectSocket({ url: echo('push=1&size=10'), ...on });
		promise.onOpen(note('open'));
		onSocketMessage(note('global message'));
		kept.sent = outcome(sendSocketMessage({ data: 'x' }));
		kept.refused = outcome(connectSocket({ url: 1 }));
		kept.promise = promise;
		log.push([promise.readyState, promise.socketTaskId].join());
		await arrived(promise, 1);
		log.push('waiting ' + promise.readyState);
		return log.splice(0);`,
		"0,0", "waiting 0")
	p.start(t)
	expect(t, p, `
		const task = await kept.promise;
		task.onMessage(note('message')); // in time, for who awaits the promise
		await received(task);
		log.push(await kept.refused);
		log.push(await kept.sent);
		return log;`,
		"success connectSocket:ok",
		"complete connectSocket:ok",
		"open {}",
		`message "0000000000"`,
		`global message "0000000000"`,
		"rejected connectSocket:fail parameter error: parameter.url should be String instead of Number",
		"rejected sendSocketMessage:fail SocketTask.readyState is not OPEN",
	)
}

func TestCloseBeforeTheModule(t *testing.T) {
	p := newWaitingPage(t, "")
	expect(t, p, `
		const promise = connectSocket({ url: echo('push=1') });
		kept.ended = watch(promise);
		kept.closing = outcome(promise.close({ code: 4000 }));
		await new Promise((resolve) => promise.ws.addEventListener('message', resolve));
		return log;`)
	p.start(t)
	expect(t, p, `
		log.push(await kept.closing);
		await kept.ended;
		return log;`,
		"resolved closeSocket:ok", `close 4000 ""`)
}

func TestLimitBeforeTheModule(t *testing.T) {
	p := newWaitingPage(t, "({ maxSockets: 1 })")
	expect(t, p, `
		kept.calls = [connectSocket({ url: echo() }), connectSocket({ url: echo() }), connectSocket({ url: 'ftp://x' })];
		return kept.calls.map((call) => String(call.ws && call.ws.readyState));`,
		"0", "null", "null")
	p.start(t)
	expect(t, p, `return Promise.all(kept.calls.map(outcome));`,
		"resolved connectSocket:ok",
		"rejected connectSocket:fail exceed max concurrent count 1",
		`rejected connectSocket:fail invalid url "ftp://x"`)
}
