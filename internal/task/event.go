package task

// Kind says what an [Event] tells. The first four are the kinds a handler can
// be registered for, in the order in which a task goes through them.
type Kind int32

const (
	// Open tells that the connection is established.
	Open Kind = iota
	// Message tells of one message; Size is its length in bytes (a text's in
	// UTF-16 units).
	Message
	// Error tells that something failed. Of several only the first is delivered,
	// of each connection where the task reconnects. Size is the close code, where
	// it is known to be about a connection that has closed.
	Error
	// Close tells that the connection is gone; Size is the close code. It is the
	// last event of a task, but for one that reconnects.
	Close
	// Failure tells that the attempt to connect has failed for a reason the
	// host knows and the WebSocket does not: the attempt is aborted. Once open
	// it is dropped.
	Failure
	// Due tells that the [Set.Delay] of a Retry is over.
	Due
	// Stable tells that the connection has lasted for the Uptime of an Admission.
	Stable

	handled = Failure // how many kinds have handlers
)

// Event is what the state machine sees of something that happened: never the
// payload, only the slot in which the host keeps it.
type Event struct {
	Kind Kind
	Slot int32
	Size int32

	order uint32 // of arrival among the held
}

// Verb says what the host is to do.
type Verb int32

const (
	// None: nothing; a payload stays in its slot until it is asked for.
	None Verb = iota
	// Deliver the slot's payload to the handlers of Kind; the slot is free then.
	Deliver
	// Drop the slot's payload; the slot is free then.
	Drop
	// Keep the slot's payload with the task's own object, from where the host
	// replays it when a handler of Kind is registered: the task has ended and
	// is forgotten here. The slot is free then.
	Keep
	// Abort the attempt: take the listeners off the WebSocket, close it, and
	// post the slot's payload as an Error and a Close, both of code 1006.
	Abort
	// Shed: drop the slot's payload, which exceeds what may be held without a
	// handler, close the WebSocket with 4008 and post an Error that says so.
	Shed
	// Ask the relay: send the request as the first message, and drop the slot.
	Ask
	// Answer: the slot has the relay's answer; post an Open or a Failure.
	Answer
	// Retry: let go of the WebSocket, post an Error where none has told of this
	// close, and post a Due after [Set.Delay]. The slot has the close's payload;
	// it is free then.
	Retry
	// Dial: open a new WebSocket; the slot is free then.
	Dial
)

// Decision is what the host is to do about one event.
type Decision struct {
	Verb Verb
	Kind Kind
	Slot int32
	// Own and Global say whose handlers a Deliver is for: the task's, those of
	// the global functions, or both.
	Own, Global bool
	// More says that [Set.Next] has another decision for this task.
	More bool
}

// queue is a first-in, first-out list that reuses its memory.
type queue struct {
	events []Event
	head   int
}

func (q *queue) len() int { return len(q.events) - q.head }

func (q *queue) first() *Event { return &q.events[q.head] }

func (q *queue) push(e Event) { q.events = append(q.events, e) }

func (q *queue) pop() Event {
	e := q.events[q.head]
	q.head++
	if q.head == len(q.events) {
		q.events, q.head = q.events[:0], 0
	}
	return e
}
