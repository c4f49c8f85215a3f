package task

import "math"

// Reconnect says when a task whose connection is lost reconnects. A NaN field
// takes its default.
type Reconnect struct {
	// Retries is how many attempts in a row may fail; without end by default.
	Retries float64
	// MinDelay and MaxDelay bound the pause before an attempt, in milliseconds;
	// 1,000 and 30,000 by default.
	MinDelay, MaxDelay float64
	// Factor multiplies the pause after each attempt in a row; 2 by default.
	Factor float64
	// Jitter is the part of the pause that is random, from 0 to 1; 1 by default,
	// "full jitter".
	Jitter float64
}

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

// backoff is the state of a task that reconnects.
type backoff struct {
	Reconnect
	failed float64 // attempts in a row, with the loss before them
	pause  float64 // before the next attempt, without jitter
	down   bool    // there is no WebSocket now
}

func newBackoff(r Reconnect) *backoff { return &backoff{Reconnect: r, pause: r.MinDelay} }

func (b *backoff) reset() { b.failed, b.pause = 0, b.MinDelay }

// delay returns the pause before the next attempt, and makes the one after it
// longer. With a jitter of 1 it is what "Exponential Backoff And Jitter" (Marc
// Brooker, AWS Architecture Blog, 2015) calls full jitter: anything from 0 to
// min(MaxDelay, MinDelay * Factor^n), so that pages which lost a server together
// do not come back together. chance is from 0 to 1.
func (b *backoff) delay(chance float64) int32 {
	pause := b.pause
	b.pause = min(b.MaxDelay, pause*b.Factor)
	return int32(min(pause*(1-b.Jitter*chance), MaxTimer))
}

// retries reports whether a task reconnects after its WebSocket closed with code
// (or is about to). It does not after a normal close (1000) or a refusal by the
// server (1008, 4000 to 4999, which applications define), nor while the task is
// closing or has shed messages.
func (t *task) retries(code int32) bool {
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

// Delay returns how many milliseconds the host waits after a Retry before it
// posts a Due. chance is a random number from 0 to 1<<31-1.
func (s *Set) Delay(id, chance int32) int32 {
	if t := s.find(id); t != nil && t.backoff != nil {
		return t.backoff.delay(float64(chance) / (1 << 31))
	}
	return 0
}

// Down reports whether a task waits to reconnect, or did when it was closed: it
// has no WebSocket, so no close event will come.
func (s *Set) Down(id int32) bool {
	t := s.find(id)
	return t != nil && t.down()
}

func (t *task) down() bool { return t.backoff != nil && t.backoff.down }
