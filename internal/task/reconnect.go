package task

import "math"

// Reconnect says whether and when a task whose connection is lost connects
// anew. A NaN field takes its default.
type Reconnect struct {
	// Retries is how many attempts in a row may fail; default without end.
	Retries float64
	// MinDelay and MaxDelay bound the pause before an attempt, in milliseconds;
	// default 1,000 and 30,000.
	MinDelay, MaxDelay float64
	// Factor is by what the pause grows with each attempt in a row; default 2.
	Factor float64
	// Jitter is how much of the pause is left to chance, 0 to 1; default 1,
	// "full jitter".
	Jitter float64
}

// uptime is how many milliseconds a connection must last for the next loss to
// count as the first: a server that accepts and closes is not to be stormed.
const uptime = 5_000

func (r *Reconnect) check() error {
	defaultTo(&r.Retries, math.Inf(1))
	defaultTo(&r.MinDelay, 1_000)
	defaultTo(&r.MaxDelay, max(30_000, r.MinDelay))
	defaultTo(&r.Factor, 2)
	defaultTo(&r.Jitter, 1)
	switch {
	case r.Retries < 0:
		return Refusal(parameterError + "parameter.reconnect.retries should be at least 0")
	case r.MinDelay < 0:
		return Refusal(parameterError + "parameter.reconnect.minDelay should be at least 0")
	case r.MaxDelay < r.MinDelay:
		return Refusal(parameterError + "parameter.reconnect.maxDelay should be at least minDelay")
	case r.Factor < 1:
		return Refusal(parameterError + "parameter.reconnect.factor should be at least 1")
	case r.Jitter < 0 || r.Jitter > 1:
		return Refusal(parameterError + "parameter.reconnect.jitter should be from 0 to 1")
	}
	return nil
}

func defaultTo(field *float64, value float64) {
	if math.IsNaN(*field) {
		*field = value
	}
}

// backoff is how far a task that reconnects has come.
type backoff struct {
	Reconnect
	failed float64 // attempts in a row, with the loss before them
	pause  float64 // before the next one, all of it left to chance
	down   bool    // no WebSocket is under way
}

func newBackoff(r Reconnect) *backoff { return &backoff{Reconnect: r, pause: r.MinDelay} }

// reset begins to count anew.
func (b *backoff) reset() { b.failed, b.pause = 0, b.MinDelay }

// delay is the pause before the next attempt, and makes the one after it
// longer. With a jitter of 1 it is what "Exponential Backoff And Jitter" (Marc
// Brooker, AWS Architecture Blog, 2015) calls full jitter: anything from 0 to
// min(MaxDelay, MinDelay * Factor^n), so that pages which a server lost together
// do not come back together. chance is from 0 to 1.
func (b *backoff) delay(chance float64) int32 {
	pause := min(b.MaxDelay, b.pause)
	b.pause = min(b.MaxDelay, b.pause*b.Factor)
	return int32(min(pause*(1-b.Jitter*chance), maxTimeout))
}

// lose decides whether a task whose WebSocket has closed with code, or is about
// to, connects anew: not where the server has said that it will not have it
// (1008 and 4000 to 4999, which applications define), nor where all is done
// (1000), nor when the task is closing or sheds what it cannot hold.
func (t *task) lose(code int32) bool {
	b := t.backoff
	if b == nil || t.state >= Closing || t.shed {
		return false
	}
	if b.down {
		return true
	}
	if code == 1000 || code == 1008 || code >= 4000 || b.failed >= b.Retries {
		return false
	}
	b.failed++
	b.down = true
	t.state = Connecting
	t.asked = false
	return true
}

// Delay returns how many milliseconds the host is to wait, after a Retry, before
// it posts a Due; what is left to chance is by a number from 0 to 1<<31-1.
func (s *Set) Delay(id, chance int32) int32 {
	if t := s.find(id); t != nil && t.backoff != nil {
		return t.backoff.delay(float64(chance) / (1 << 31))
	}
	return 0
}

// Down tells whether a task waits to connect anew, or did when it was closed: it
// has no WebSocket, and no close event of one will come.
func (s *Set) Down(id int32) bool {
	t := s.find(id)
	return t != nil && t.down()
}

func (t *task) down() bool { return t.backoff != nil && t.backoff.down }
