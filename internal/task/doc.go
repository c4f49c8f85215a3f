// Package task is the SocketTask state machine: which call is accepted, which
// event is delivered, held or dropped, and when a slot comes back.
//
// It knows nothing of JavaScript. A host (in the module, the JavaScript of
// internal/jsbridge) owns the WebSocket, the payloads and the callbacks. It
// posts every event as a few integers with [Set.Event] and carries out the
// [Decision] that comes back:
//
//	host: event ──► task.events (channel) ──► judge ──► Decision ──► host
//
// If one event calls for more than one decision, or other events wait behind
// it, the decision says More and the host asks again with [Set.Next]. Nothing in
// this package blocks, starts a goroutine or reads a clock. A Set is for one
// goroutine at a time, as a JavaScript realm is.
//
// Words for letting go of something:
//
//	Drop      a payload that nobody will get
//	Keep      a payload of an ended task: its own object holds it from then on
//	Shed      a connection that sends more than may be held
//	Evict     the oldest task, to make room for a new one
//	Discard   a task whose WebSocket could not be created
//	release   a slot of the limit, for the next call
//	forget    a task that has ended
package task
