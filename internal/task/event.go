package task

// Event is what the state machine sees of something that happened: not the
// payload, only the slot in which the host keeps it.
type Event struct {
	Kind Kind
	Slot int32
	Size int32
}

// Decision is what the host has to do about one event.
type Decision struct {
	Verb Verb
	Kind Kind
	Slot int32
	// Flags are [OwnBit] and [GlobalBit], for whose handlers a Deliver calls: the
	// task's, those of the global functions, or both; and [MoreBit] if [Set.Next]
	// has another decision for this task.
	Flags int32
}

// queue is a first-in, first-out list that reuses its memory, at most twice what
// its events need.
type queue[T any] struct {
	events []T
	head   int
}

func (q *queue[T]) len() int { return len(q.events) - q.head }

func (q *queue[T]) first() *T { return &q.events[q.head] }

func (q *queue[T]) push(e T) {
	if len(q.events) == cap(q.events) && q.head > len(q.events)/2 {
		q.events, q.head = q.events[:copy(q.events, q.events[q.head:])], 0
	}
	q.events = append(q.events, e)
}

func (q *queue[T]) pop() T {
	e := q.events[q.head]
	q.head++
	if q.head == len(q.events) {
		q.events, q.head = q.events[:0], 0
	}
	return e
}
