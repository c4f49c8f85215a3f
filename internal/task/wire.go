package task

// What crosses the border with JavaScript stands in this file: numbers, texts
// and names. Its twin is internal/jsbridge/wire.js; TestTwin holds the two
// together.

// Kind says what an [Event] is about. The first four are the kinds a handler
// can be registered for, in the order in which a task goes through them.
type Kind int32

const (
	// Open: the connection is established.
	Open Kind = iota
	// Message: one message has arrived. Size is its length in bytes, two for each
	// UTF-16 unit of a text.
	Message
	// Error: something failed. Only the first of a connection is delivered. Size
	// is the close code if the error is about a connection that has closed, else 0.
	Error
	// Close: the connection is gone. Size is the close code. It is the last event
	// of a task, unless the task reconnects.
	Close
	// Failure: the attempt to connect has failed for a reason that the host knows
	// and the WebSocket does not. It is dropped once the task is open.
	Failure
	// Due: the [Set.Delay] of a Retry is over.
	Due
	// Stable: the connection has lasted for [Uptime].
	Stable
	// Tick: the [Set.Pause] of the heartbeat is over. Size is how many milliseconds
	// that took.
	Tick
)

// numHandled is how many kinds have handlers.
const numHandled = Failure

// Verb says what the host has to do.
type Verb int32

const (
	// None: nothing. A payload stays in its slot until it is asked for.
	None Verb = iota
	// Deliver the payload to the handlers of Kind; this frees the slot.
	Deliver
	// Drop the payload; this frees the slot.
	Drop
	// Keep the payload with the task's own object, which replays it when a handler
	// of Kind is registered: the task has ended and the Set forgets it. This frees
	// the slot.
	Keep
	// Abort the attempt or the connection: let go of the WebSocket, close it, and
	// post the payload as an Error and then a Close, both of code 1006. This frees
	// the slot.
	Abort
	// Shed: drop the payload, which is more than may be held without a handler;
	// post an Error with the text [TooMuchHeld], and close the WebSocket with
	// [CodeTooMuchHeld]. This frees the slot.
	Shed
	// Ask the relay: send the request as the first message. This frees the slot.
	Ask
	// Answer: the payload is the relay's answer; post an Open or a Failure. This
	// frees the slot.
	Answer
	// Retry: let go of the WebSocket, post a Due after [Set.Delay], and post an
	// Error if none has been posted for this close. The payload is the close's;
	// this frees the slot.
	Retry
	// Dial: open a new WebSocket. This frees the slot.
	Dial
	// Beat: send the heartbeat's message. This frees the slot.
	Beat
)

// The layout of a decision in 32 bits.
const (
	VerbMask  = 15
	KindShift = 4
	KindMask  = 3
	OwnBit    = 1 << 6
	GlobalBit = 1 << 7
	MoreBit   = 1 << 8
	SlotShift = 9
)

// HeldSlots is how many slots held messages may take, half of those that a
// decision can name: the others are for what is on its way. It is the largest
// maxHeldMessages.
const HeldSlots = 1 << (32 - SlotShift - 1)

// Entrances are the functions of the module that take and return integers, in
// the order of their numbers for a host without exports.
const Entrances = "event next listen send state discard evict newest down delay pause"

// Settings are the names in the object that configures a [Set].
const Settings = "lastId maxSockets replace maxHeldBytes maxHeldMessages domains"

// What a user may want to change, by default.
const (
	// DefaultMaxSockets is the API document's "up to 5 WebSocket connections".
	DefaultMaxSockets = 5
	// DefaultTimeout of an attempt to connect, in milliseconds.
	DefaultTimeout         = 60_000
	DefaultMaxHeldBytes    = 16 << 20
	DefaultMaxHeldMessages = 10_000
)

const (
	// Uptime is how many milliseconds a connection must last to reset the backoff:
	// a server that accepts and closes must not be stormed.
	Uptime = 5_000
	// DefaultInterval and DefaultAnswer are the heartbeat's interval and timeout, in
	// milliseconds.
	DefaultInterval = 30_000
	DefaultAnswer   = 10_000
	// CodeTooMuchHeld is the close code when too many messages are held.
	CodeTooMuchHeld = 4008
	// CodeLost is the close code of a connection that ended without a close frame
	// (RFC 6455 section 7.1.5).
	CodeLost = 1006
	// MaxTimer is the longest time in milliseconds that setTimeout takes; with a
	// longer one it fires at once.
	MaxTimer = 1<<31 - 1
)

// Texts of an errMsg that the host reports. If two functions share a text, the
// host puts "sendSocketMessage:fail " or the like before it.
const (
	// TextNotOpen is why a send fails on a task that is not open.
	TextNotOpen = "SocketTask.readyState is not OPEN"
	// TextNotConnected is why a global function fails that has no task.
	TextNotConnected = "WebSocket is not connected"
	// TextTimeout is what onError says of an attempt that took too long.
	TextTimeout = "connectSocket:fail timeout"
	// TextBadAnswer is what onError says if the relay's answer makes no sense.
	TextBadAnswer = "connectSocket:fail the relay's answer is not understood"
	// TextSilent is what onError says if nothing answers a heartbeat.
	TextSilent = "connectSocket:fail the connection is lost: nothing was received after a heartbeat"
	// TextTooMuchHeld is what onError says if messages came faster than a handler.
	TextTooMuchHeld = "connectSocket:fail too many messages without an onMessage handler, closed with 4008"
)

// Pack returns the decision as one integer, for a host in JavaScript.
func (d Decision) Pack() int32 {
	return int32(d.Verb) | int32(d.Kind)<<KindShift | d.Flags | d.Slot<<SlotShift
}

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
