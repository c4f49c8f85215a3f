package jsbridge

import "testing"

func TestFamilyWithoutTask(t *testing.T) {
	const notConnected = ":fail WebSocket is not connected"
	for name, before := range map[string]string{
		"never one":     ``,
		"a refused one": `await outcome(connectSocket({}));`,
		"one closing":   `const task = await connectSocket({ url: echo() }); await opened(task); task.close();`,
		"one closed":    `const task = await connectSocket({ url: echo('code=1000') }); await closed(task);`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, ""), before+`
				log.push(await outcome(sendSocketMessage({ data: 'x', ...on })));
				log.push(await outcome(closeSocket({ ...on })));
				log.push(await outcome(sendSocketMessage()));
				log.push(await outcome(closeSocket()));
				log.push(await outcome(sendSocketMessage(null)));
				log.push(await outcome(closeSocket(1)));
				log.push(await outcome(closeSocket({ get fail() { throw 1; } })));
				return log;`,
				"fail sendSocketMessage"+notConnected,
				"complete sendSocketMessage"+notConnected,
				"rejected sendSocketMessage"+notConnected,
				"fail closeSocket"+notConnected,
				"complete closeSocket"+notConnected,
				"rejected closeSocket"+notConnected,
				"rejected sendSocketMessage"+notConnected,
				"rejected closeSocket"+notConnected,
				"rejected sendSocketMessage"+notConnected,
				"rejected closeSocket"+notConnected,
				"rejected closeSocket"+notConnected,
			)
		})
	}
}

// register logs the family's events.
const register = `
	onSocketOpen(note('open'));
	onSocketMessage(note('message'));
	onSocketError(note('error'));
	onSocketClose(note('close'));`

func TestFamilyAlone(t *testing.T) {
	expect(t, newPage(t, ""), register+`
		connectSocket({ url: echo() });
		await new Promise(onSocketOpen);
		sendSocketMessage({ data: 'x', ...on });
		await new Promise(onSocketMessage);
		closeSocket({ code: 4000, reason: 'r', ...on });
		await new Promise(onSocketClose);
		connectSocket({ url: echo('status=403') });
		const error = await new Promise(onSocketError);
		await new Promise(onSocketClose);
		return log;`,
		"open {}",
		"success sendSocketMessage:ok",
		"complete sendSocketMessage:ok",
		`message "x"`,
		"success closeSocket:ok",
		"complete closeSocket:ok",
		`close 4000 "r"`,
		`error connectSocket:fail WebSocket connection to "`+server+`?status=403" failed`,
		`close 1006 "" unclean`,
	)
}

func TestFamilysErrors(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo() });
		log.push(await outcome(sendSocketMessage({ data: 'x' })));
		await opened(task);
		log.push(await outcome(sendSocketMessage({ data: 1, ...on })));
		log.push(await outcome(sendSocketMessage('x')));
		log.push(await outcome(closeSocket({ code: 1 })));
		log.push(await outcome(closeSocket(null)));
		return log;`,
		"rejected sendSocketMessage:fail SocketTask.readyState is not OPEN",
		"fail sendSocketMessage:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number",
		"complete sendSocketMessage:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number",
		"rejected sendSocketMessage:fail parameter error: parameter.data should be String or ArrayBuffer instead of Number",
		"rejected sendSocketMessage:fail parameter error: parameter should be Object instead of String",
		"rejected closeSocket:fail invalid code 1: should be 1000 or 3000 to 4999",
		"rejected closeSocket:fail parameter error: parameter should be Object instead of Null",
	)
}

// The task's own handlers come first, then those of the family.
func TestFamilyBesideTask(t *testing.T) {
	expect(t, newPage(t, ""), register+`
		await watch(connectSocket({ url: echo('push=1&size=10&code=1000') }), 'own ');
		return log;`,
		"own open {}", "open {}",
		`own message "0000000000"`, `message "0000000000"`,
		`own close 1000 ""`, `close 1000 ""`,
	)
}

func TestFamilyIsTheNewestTasks(t *testing.T) {
	expect(t, newPage(t, ""), `
		const first = await connectSocket({ url: echo() });
		await opened(first);
		const second = await connectSocket({ url: echo() });
		await opened(second);
		`+register+`
		first.onMessage(note('first'));
		second.onMessage(note('second'));
		first.send({ data: 'a' });
		await received(first);
		sendSocketMessage({ data: 'b' });
		await received(second);
		log.push('closing');
		closeSocket({ code: 4002 }); // its slot is free at once: the first is the newest then
		sendSocketMessage({ data: 'c' });
		await Promise.all([received(first), closed(second)]);
		closeSocket({ code: 4001 });
		await closed(first);
		return [...log.splice(0, 4), ...log.sort()]; // what comes of two connections comes in any order`,
		`first "a"`,
		`second "b"`,
		`message "b"`,
		"closing",
		`close 4001 ""`,
		`close 4002 ""`,
		`first "c"`,
		`message "c"`,
	)
}

// What an older task holds is given to the family when it becomes the newest.
func TestFamilyTakesOverWhatIsHeld(t *testing.T) {
	for name, end := range map[string]string{
		"by close":              `second.close();`,
		"by closeSocket":        `closeSocket();`,
		"by the server's close": `second.send({ data: 'end' });`,
		"by its WebSocket":      `second.ws.close();`,
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, newPage(t, ""), register+`
				const first = await connectSocket({ url: echo('push=2&size=10') });
				const held = arrived(first, 2);
				const second = await connectSocket({ url: echo('code=1000&after=1') });
				second.onMessage(() => {});
				await Promise.all([opened(second), held]);
				log.push('until now');
				`+end+`
				await closed(second);
				await sleep(20);
				return log.filter((line) => !line.startsWith('close') && line !== 'message "end"');`,
				"open {}", // the second's
				"until now",
				"open {}", `message "0000000000"`, `message "0000000001"`)
		})
	}
}

// The slot that close gives back makes the older task the newest at once, not
// when the server has answered.
func TestFamilyTakesOverAtOnce(t *testing.T) {
	expect(t, newPage(t, ""), `
		const first = await connectSocket({ url: echo('push=1&size=10') });
		const held = arrived(first, 1);
		const second = await connectSocket({ url: echo() });
		onSocketMessage(note('message'));
		await Promise.all([opened(second), held]);
		second.close();
		await null;
		log.push('state ' + second.readyState);
		return log;`,
		`message "0000000000"`, "state 2")
}

func TestFamilyRegisteredLate(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('push=2&size=10') });
		await arrived(task, 2);
		onSocketMessage(note('message'));
		onSocketMessage(note('beside'));
		log.push('registered');
		await null;
		log.push('a microtask later');
		onSocketOpen(note('open'));
		await null;
		onSocketOpen(note('late'));
		task.close();
		await closed(task);
		onSocketClose(note('close')); // of a task that has ended: its own
		await sleep(10);
		return log;`,
		"registered",
		`message "0000000000"`,
		`beside "0000000000"`,
		`message "0000000001"`,
		`beside "0000000001"`,
		"a microtask later",
		"open {}",
	)
}

func TestInstall(t *testing.T) {
	expect(t, newPage(t, ""), `
		const target = { mine: 1 };
		const same = install(target) === target;
		const { connectSocket, sendSocketMessage, onSocketOpen, onSocketMessage, closeSocket, onSocketClose } = target;
		connectSocket({ url: echo() });
		await new Promise(onSocketOpen);
		sendSocketMessage({ data: 'x' });
		await new Promise(onSocketMessage);
		closeSocket();
		await new Promise(onSocketClose);
		return [String(same), ...Object.keys(target).sort()];`,
		"true",
		"closeSocket", "connectSocket", "mine",
		"onSocketClose", "onSocketError", "onSocketMessage", "onSocketOpen",
		"sendSocketMessage",
	)
}
