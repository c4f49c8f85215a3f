package jsbridge

import "testing"

func TestTimeoutExpires(t *testing.T) {
	expect(t, newPage(t, "({ maxSockets: 1 })"), `
		const promise = connectSocket({ url: echo('delay=5s'), timeout: 100, ...on });
		promise.onError(() => log.push('state ' + promise.readyState));
		await watch(promise);
		log.push('state ' + promise.readyState);
		log.push(await outcome(connectSocket({ url: echo() }))); // the slot is back
		return log;`,
		"success connectSocket:ok",
		"complete connectSocket:ok",
		"state 2",
		"error connectSocket:fail timeout",
		`close 1006 "" unclean`,
		"state 3",
		"resolved connectSocket:ok",
	)
}

func TestTimeoutWithoutHandlers(t *testing.T) {
	expect(t, newPage(t, ""), `
		const task = await connectSocket({ url: echo('delay=5s'), timeout: 50 });
		while (task.readyState !== task.CLOSED) await sleep(10);
		task.onClose(note('close'));
		task.onError(note('error'));
		await sleep(10);
		return log;`,
		"error connectSocket:fail timeout",
		`close 1006 "" unclean`,
	)
}

// Only connecting takes time: once open, closed or failed the timer is gone.
func TestTimeoutIsCleared(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"open", `await opened(connectSocket({ url: echo(), timeout: 54321 }));`},
		{"closed", `const p = connectSocket({ url: echo('delay=5s'), timeout: 54321 }); p.close(); await closed(p);`},
		{"failed", `await closed(connectSocket({ url: echo('status=403'), timeout: 54321 }));`},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const { setTimeout, clearTimeout } = globalThis;
				const { now } = Date;
				const timers = new Set();
				Date.now = () => 0; // for the milliseconds to be exact
				globalThis.setTimeout = (f, ms, ...args) => {
					const id = setTimeout(f, ms, ...args);
					if (ms === 54321) timers.add(id);
					return id;
				};
				globalThis.clearTimeout = (id) => {
					timers.delete(id);
					clearTimeout(id);
				};
				const connected = (async () => {`+c.body+`})();
				await undefined; // the callbacks of the call come before
				const set = timers.size;
				await connected;
				Object.assign(globalThis, { setTimeout, clearTimeout });
				Date.now = now;
				return [set + ' set', timers.size + ' left'];`,
				"1 set", "0 left")
		})
	}
}

func TestTimeoutInMilliseconds(t *testing.T) {
	for timeout, want := range map[string]string{
		`undefined`:  "60000",
		`null`:       "60000",
		`0`:          "60000",
		`-0`:         "60000",
		`-1`:         "60000",
		`NaN`:        "60000",
		`Infinity`:   "60000",
		`'5000'`:     "60000",
		`{}`:         "60000",
		`5000n`:      "60000",
		`5000`:       "5000",
		`1500.7`:     "1500",
		`0.5`:        "1",
		`1e300`:      "2147483647", // setTimeout would fire at once
		`2147483648`: "2147483647",
	} {
		t.Run(timeout, func(t *testing.T) {
			expect(t, newPage(t, ""), `
				const { setTimeout } = globalThis;
				const { now } = Date;
				let asked;
				Date.now = () => 0;
				globalThis.setTimeout = (f, ms) => {
					asked ??= ms; // the others are the test's own
					return setTimeout(f, ms);
				};
				await connectSocket({ url: echo(), timeout: `+timeout+` });
				globalThis.setTimeout = setTimeout;
				Date.now = now;
				return [String(asked)];`, want)
		})
	}
}
