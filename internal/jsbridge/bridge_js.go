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
	bridge.Get("start").Invoke(version, js.FuncOf(enter),
		task.NotOpen, task.BadData, task.NotConnected, task.TimedOut, task.HeldTooMuch, task.BadAnswer)
}

// enter is the door without exports, and the only one for what takes or
// returns strings, which no message does. The first argument is the name of
// the function, the others are its own.
func enter(_ js.Value, args []js.Value) any {
	name, args := args[0].String(), args[1:]
	switch name {
	case "configure":
		configure(args)
		return nil
	case "connect":
		return connect(args)
	case "close":
		return closeTask(args)
	}
	var n [5]int32
	for i, arg := range args {
		n[i] = int32(arg.Int())
	}
	switch name {
	case "event":
		return event(n[0], n[1], n[2], n[3], n[4])
	case "next":
		return next(n[0])
	case "listen":
		listen(n[0], n[1])
	case "send":
		return send(n[0], n[1])
	case "state":
		return state(n[0])
	case "discard":
		discard(n[0])
	case "evict":
		return evict()
	case "newest":
		return newest()
	}
	return nil
}

// configure creates the set: with the last id of a module that has died, with
// the limits that bridge.js was given, and the domains behind them.
func configure(args []js.Value) {
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

// connect answers what bridge.js read of a connectSocket option with the
// task's id and timeout, or with the errMsg of a refusal.
func connect(args []js.Value) any {
	a, err := set.Connect(task.Call{
		Type:    args[0].String(),
		Fault:   args[1].String(),
		URLType: args[2].String(),
		URL:     args[3].String(),
		Scheme:  args[4].String(),
		Host:    args[5].String(),
		Timeout: args[6].Float(),
		Relayed: args[7].Bool(),
	})
	if err != nil {
		return err.Error()
	}
	return []any{a.ID, a.Timeout}
}

// closeTask answers a close with whether to close the WebSocket, or with the
// errMsg of a refusal.
func closeTask(args []js.Value) any {
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
	return int32(d.Verb) | int32(d.Kind)<<3 | bit(d.Own)<<5 | bit(d.Global)<<6 | bit(d.More)<<7 | d.Slot<<8
}

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
