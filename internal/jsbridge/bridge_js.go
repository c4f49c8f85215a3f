// Package jsbridge is the border with JavaScript. Its two halves, bridge_js.go
// and the JavaScript modules beside it, share one rule: values stay in
// JavaScript, state stays in Go, and only small integers cross for each event.
//
//	JavaScript: listener ─► slot table ─► event(task, kind, slot, size) ─┐
//	JavaScript: handlers ◄─ act ◄─ decision, packed in an int32 ◄── task.Set
//
// The functions are entered through two doors. If the page's loader started the
// module, JavaScript has the instance's exports: a direct call without an
// allocation. If a page starts the module as any other Go program, nobody has
// the exports, and the same functions are wrapped in js.FuncOf.
package jsbridge

import (
	"syscall/js"

	"connectsocket/internal/task"
)

// set is the module's one registry: a WebAssembly export has no receiver.
var set *task.Set

// version of the package, set by the linker, to notice a stale module.
var version string

// Start joins the two halves: it gives the JavaScript half the functions to
// enter this one. From then on the global connectSocket works. Start returns at
// once; the program must keep running. It panics if the JavaScript half is not
// there: the loader brings it, and a page that starts the module itself loads
// connectsocket.bridge.js first.
func Start() {
	bridge := js.Global().Get("connectsocketBridge")
	if bridge.IsUndefined() {
		panic("connectsocket: load connectsocket.bridge.js before the module")
	}
	bridge.Call("start", version, js.FuncOf(dispatch), js.FuncOf(configure), js.FuncOf(connect), js.FuncOf(renew), js.FuncOf(closeTask))
}

// dispatch is the door without exports. Its first argument is the number of the
// function in [task.Entrances], the others are the function's arguments.
func dispatch(_ js.Value, args []js.Value) any {
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
		listen(n[1], n[2], n[3])
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
		return delay(n[1], n[2], n[3])
	case 10:
		return pause(n[1])
	}
	return nil
}

// configure creates the set from an object with the fields of [task.Settings].
func configure(_ js.Value, args []js.Value) any {
	s := args[0]
	last := int32(s.Get("lastId").Int())
	l := task.Limits{
		MaxSockets:      s.Get("maxSockets").Int(),
		Replace:         s.Get("replace").Bool(),
		MaxHeldBytes:    s.Get("maxHeldBytes").Int(),
		MaxHeldMessages: s.Get("maxHeldMessages").Int(),
	}
	domains := s.Get("domains")
	for i := range domains.Length() {
		l.Domains = append(l.Domains, domains.Index(i).String())
	}
	set = task.NewSet(l, last)
	return nil
}

// event posts an event on its task's channel and, unless busy is 1, drains the
// channel as far as the first decision.
//
//go:wasmexport event
func event(id, kind, slot, size, busy int32) int32 {
	return set.Event(id, task.Event{Kind: task.Kind(kind), Slot: slot, Size: size}, busy == 1).Pack()
}

//go:wasmexport next
func next(id int32) int32 { return set.Next(id).Pack() }

//go:wasmexport listen
func listen(id, kind, on int32) { set.Listen(id, task.Kind(kind), on == 1) }

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
func delay(id, chance, offline int32) int32 { return set.Delay(id, chance, offline == 1) }

//go:wasmexport pause
func pause(id int32) int32 { return set.Pause(id) }

// connect judges what option.js read of a connectSocket call. It returns the
// task's id, or the errMsg of a refusal.
func connect(_ js.Value, args []js.Value) any {
	id, err := set.Connect(readCall(args[0], args[1]))
	if err != nil {
		return err.Error()
	}
	return id
}

// renew judges a call that replaces a task's. It returns the errMsg of a
// refusal, empty if there is none.
func renew(_ js.Value, args []js.Value) any {
	if err := set.Renew(int32(args[0].Int()), readCall(args[1], args[2])); err != nil {
		return err.Error()
	}
	return ""
}

func readCall(call, relayed js.Value) task.Call {
	c := task.Call{
		Fault:   call.Get("fault").String(),
		URL:     call.Get("url").String(),
		Scheme:  call.Get("scheme").String(),
		Host:    call.Get("host").String(),
		Relayed: relayed.Bool(),
	}
	if r := call.Get("reconnect"); r.Truthy() {
		c.Reconnect = &task.Reconnect{
			Retries:  r.Get("retries").Float(),
			MinDelay: r.Get("minDelay").Float(),
			MaxDelay: r.Get("maxDelay").Float(),
			Factor:   r.Get("factor").Float(),
			Jitter:   r.Get("jitter").Float(),
		}
	}
	if h := call.Get("heartbeat"); h.Truthy() {
		c.Heartbeat = &task.Heartbeat{Interval: h.Get("interval").Float(), Timeout: h.Get("timeout").Float()}
	}
	return c
}

// closeTask judges a close. It returns whether to close the WebSocket, or the
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

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
