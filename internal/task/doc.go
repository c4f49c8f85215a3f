// Package task is the SocketTask state machine: which call is accepted, which
// event is delivered, held or dropped, and when a slot comes back.
//
// It knows nothing of JavaScript. A host (in the module, bridge.js) owns the
// WebSocket, the payloads and the callbacks; it posts every event as a few
// integers with [Set.Event] and carries out the [Decision] that comes back:
//
//	host: event ──► Task.events (channel) ──► judge ──► Decision ──► host
//
// Where one event calls for more than one decision, or others wait behind it,
// the decision says More and the host asks again with [Set.Next]. Nothing in
// this package blocks, starts a goroutine or reads a clock, and a Set is for
// one goroutine at a time, as a JavaScript realm is.
package task
