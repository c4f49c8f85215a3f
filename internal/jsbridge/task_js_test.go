package jsbridge

import "testing"

func TestTaskAndPromiseAreTheSame(t *testing.T) {
	expect(t, newPage(t, ""), `
		const promise = connectSocket({ url: echo() });
		promise.onOpen(note('promise'));
		log.push((promise instanceof Promise) + ' ' + promise.readyState);
		const task = await promise;
		task.onOpen(note('task'));
		await opened(promise);
		for (const name of ['readyState', 'socketTaskId', 'errMsg', 'protocol', 'bufferedAmount', 'ws']) {
			if (promise[name] !== task[name]) log.push(name + ' differs');
		}
		log.push(typeof task.then + ' ' + (task instanceof Promise));
		const both = await Promise.all([promise.then((t) => t === task), promise.finally(() => {}).then((t) => t === task)]);
		return [...log, both.join()];`,
		"true 0", "promise {}", "task {}", "undefined false", "true,true")
}

func TestTasksMembers(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo(), protocols: ['a'] });
		const state = () => log.push([task.readyState, task.protocol].join());
		state();
		await opened(task);
		state();
		task.close();
		state();
		await closed(task);
		state();
		log.push([task.CONNECTING, task.OPEN, task.CLOSING, task.CLOSED].join());
		log.push([task.ws instanceof WebSocket, task.ws.url === echo(), task.ws.binaryType].join());
		log.push([task.errMsg, task.bufferedAmount].join());
		const next = await connectSocket({ url: echo() });
		log.push(String(Number.isInteger(task.socketTaskId) && task.socketTaskId > 0 && next.socketTaskId > task.socketTaskId));
		return log;`,
		"0,", "1,a", "2,a", "3,a",
		"0,1,2,3",
		"true,true,arraybuffer",
		"connectSocket:ok,0",
		"true",
	)
}

func TestReadyStateFollowsTheServer(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('code=1000&after=1') });
		for (const kind of ['Open', 'Message', 'Close']) task['on' + kind](() => log.push(kind + ' ' + task.readyState));
		await opened(task);
		task.send({ data: 'x' });
		await closed(task);
		return log;`,
		"Open 1", "Message 1", "Close 3")
}

func TestTasksPropertiesAreReadOnly(t *testing.T) {
	expect(t, newPage(t, ""), `
		'use strict';
		const promise = connectSocket({ url: echo() });
		const task = await promise;
		await opened(task);
		const names = ['readyState', 'CONNECTING', 'OPEN', 'CLOSING', 'CLOSED', 'socketTaskId', 'errMsg', 'protocol', 'bufferedAmount', 'ws'];
		for (const object of [task, promise]) {
			for (const name of names) {
				const before = object[name];
				let thrown;
				try {
					object[name] = 'other';
				} catch (error) {
					thrown = error.name;
				}
				if (thrown !== 'TypeError' || object[name] !== before) log.push(name + ': ' + thrown);
				if (!(name in object)) log.push(name + ' is not there');
			}
		}
		return log;`)
}
