// Package jsbridge is the border with JavaScript. Its two halves, bridge_js.go
// and bridge.js, stand side by side: values stay in JavaScript, state stays in
// Go, and only small integers cross for each event.
//
//	bridge.js: listener ─► slot table ─► event(task, kind, slot, size) ─┐
//	bridge.js: handlers ◄─ act ◄─ decision, packed in an int32 ◄── task.Set
//
// The functions are entered through two doors. Where the page's loader started
// the module it hands bridge.js the instance's exports: a direct call, no
// allocation. Where a page starts the module as any other Go program, nobody
// has the exports, and the same functions are wrapped in js.FuncOf.
package jsbridge

import (
	"syscall/js"

	"connectsocket/internal/task"
)

// set is the module's one registry: a WebAssembly export has no receiver.
var set *task.Set

// version of the package, set by the linker, to tell a stale module from its
// script.
var version string

// Start joins the two halves: it gives bridge.js the way in, and the texts that
// it tells. From then on the global connectSocket works. Start returns at once;
// the program must be kept running. It panics where bridge.js is not there: the
// loader brings it, a page that starts the module itself needs
// connectsocket.bridge.js before.
func Start() {
	bridge := js.Global().Get("connectsocketBridge")
	if bridge.IsUndefined() {
		panic("connectsocket: connectsocket.bridge.js is to be loaded before the module")
	}
	bridge.Get("start").Invoke(version, js.FuncOf(enter), js.FuncOf(configure), js.FuncOf(connect), js.FuncOf(closeTask),
		task.NotOpen, task.BadData, task.NotConnected, task.TimedOut, task.HeldTooMuch, task.BadAnswer)
}

// enter is the door without exports. Its first argument is the number of the
// function in bridge.js's list of entrances, the others are the function's.
func enter(_ js.Value, args []js.Value) any {
	var n [6]int32
	for i, arg := range args {
		n[i] = int32(arg.Int())
	}
	switch n[0] {
	case 0:
		return event(n[1], n[2], n[3], n[4], n[5])
	case 1:
		return next(n[1])
	case 2:
		listen(n[1], n[2])
	case 3:
		return send(n[1], n[2])
	case 4:
		return state(n[1])
	case 5:
		discard(n[1])
	case 6:
		return evict()
	case 7:
		return newest()
	case 8:
		return down(n[1])
	case 9:
		return delay(n[1], n[2])
	}
	return nil
}

// configure creates the set: with the last id of a module that has died, with
// the limits that bridge.js was given, and the domains behind them.
func configure(_ js.Value, args []js.Value) any {
	l := task.Limits{
		MaxSockets:      args[1].Int(),
		Replace:         args[2].Bool(),
		MaxHeldBytes:    args[3].Int(),
		MaxHeldMessages: args[4].Int(),
	}
	for _, domain := range args[5:] {
		l.Domains = append(l.Domains, domain.String())
	}
	set = task.NewSet(l, int32(args[0].Int()))
	return nil
}

// event posts an event on its task's channel and, unless busy is 1, drains the
// channel as far as the first decision.
//
//go:wasmexport event
func event(id, kind, slot, size, busy int32) int32 {
	return pack(set.Event(id, task.Event{Kind: task.Kind(kind), Slot: slot, Size: size}, busy == 1))
}

//go:wasmexport next
func next(id int32) int32 { return pack(set.Next(id)) }

//go:wasmexport listen
func listen(id, kind int32) { set.Listen(id, task.Kind(kind)) }

//go:wasmexport send
func send(id, readyState int32) int32 { return bit(set.Send(id, task.State(readyState))) }

//go:wasmexport state
func state(id int32) int32 { return int32(set.State(id)) }

//go:wasmexport discard
func discard(id int32) { set.Discard(id) }

//go:wasmexport evict
func evict() int32 { return set.Evict() }

//go:wasmexport newest
func newest() int32 { return set.Newest() }

//go:wasmexport down
func down(id int32) int32 { return bit(set.Down(id)) }

//go:wasmexport delay
func delay(id, chance int32) int32 { return set.Delay(id, chance) }

// connect answers what bridge.js read of a connectSocket option with the
// task's admission, or with the errMsg of a refusal.
func connect(_ js.Value, args []js.Value) any {
	c := task.Call{
		Type:    args[0].String(),
		Fault:   args[1].String(),
		URLType: args[2].String(),
		URL:     args[3].String(),
		Scheme:  args[4].String(),
		Host:    args[5].String(),
		Timeout: args[6].Float(),
		Relayed: args[7].Bool(),
	}
	if len(args) > 8 {
		c.Reconnect = &task.Reconnect{
			Retries:  args[8].Float(),
			MinDelay: args[9].Float(),
			MaxDelay: args[10].Float(),
			Factor:   args[11].Float(),
			Jitter:   args[12].Float(),
		}
	}
	a, err := set.Connect(c)
	if err != nil {
		return err.Error()
	}
	return []any{a.ID, a.Timeout, a.Uptime}
}

// closeTask answers a close with whether to close the WebSocket, or with the
// errMsg of a refusal.
func closeTask(_ js.Value, args []js.Value) any {
	closing, err := set.Close(int32(args[0].Int()), task.CloseCall{
		Fault:       args[1].String(),
		Code:        args[2].Float(),
		ReasonBytes: args[3].Int(),
	})
	if err != nil {
		return err.Error()
	}
	return closing
}

// pack puts a decision into the integer that act in bridge.js takes apart.
func pack(d task.Decision) int32 {
	return int32(d.Verb) | int32(d.Kind)<<4 | bit(d.Own)<<6 | bit(d.Global)<<7 | bit(d.More)<<8 | d.Slot<<9
}

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
