package relay

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"nhooyr.io/websocket"
)

// copyMessages serves a session whose upstream compresses: messages through the library, each streamed chunk by chunk. The
// library answers a close at once, so what was on the way to the side that closes is lost, as with any peer built on it.
func (s session) copyMessages(page *takeover, handle *websocket.Conn, upstream *upstream) {
	r := s.relay
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(r.ctx, func() {
		handle.Close(websocket.StatusGoingAway, "the relay is shutting down")
		cancel()
	})
	conns := [2]*websocket.Conn{up: handle, down: upstream.handle}
	leases := [2]*lease{up: page.lease, down: upstream.lease}
	var once sync.Once
	var wg sync.WaitGroup
	var cause string
	var code websocket.StatusCode
	for i, src := range conns {
		dst := conns[1-i]
		src.SetReadLimit(r.cfg.MaxMessage)
		wg.Go(func() { // pings need the reader below
			t := time.NewTicker(r.cfg.PingInterval)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
				}
				ping, done := context.WithTimeout(ctx, r.cfg.PingInterval)
				if src.Ping(ping) != nil {
					src.CloseNow()
				}
				done()
			}
		})
		wg.Go(func() {
			err := s.copyDirection(ctx, i, dst, src, &leases[i].ended)
			got := websocket.CloseStatus(err)
			once.Do(func() {
				cause, code = [...]string{"page_dropped", "upstream_dropped"}[i], websocket.StatusAbnormalClosure
				if r.ctx.Err() != nil {
					cause, code = "drained", websocket.StatusGoingAway
				} else if got != -1 {
					cause, code = [...]string{"page_closed", "upstream_closed"}[i], got
				}
			})
			if e := (websocket.CloseError{}); errors.As(err, &e) {
				dst.Close(e.Code, e.Reason)
			}
			dst.CloseNow()
			cancel()
		})
	}
	wg.Wait()
	stop()
	handle.CloseNow()
	upstream.handle.CloseNow()
	s.ended(cause, code)
}

// copyDirection copies messages until one cannot be read or written. The library takes the end of the connection for that of
// the message it is in; ended tells them apart: the library reads on from src only for what a message still lacks.
func (s *session) copyDirection(ctx context.Context, direction int, dst, src *websocket.Conn, ended *atomic.Bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := s.relay.metrics
	stall := time.AfterFunc(time.Hour, cancel)
	defer stall.Stop()
	buf := make([]byte, 16<<10)
	for {
		typ, rd, err := src.Reader(ctx)
		if err != nil {
			return err
		}
		w, err := dst.Writer(ctx, typ)
		if err != nil {
			return err
		}
		m.messages[direction].Inc()
		for {
			n, readErr := rd.Read(buf)
			if readErr == io.EOF && ended.Load() {
				return io.ErrUnexpectedEOF
			}
			stall.Reset(s.relay.cfg.WriteStall)
			_, err := w.Write(buf[:n])
			if readErr == io.EOF && err == nil {
				err = w.Close()
			}
			stall.Stop()
			m.bytes[direction].Add(float64(n))
			if readErr == io.EOF && err == nil {
				break
			}
			if readErr != nil && readErr != io.EOF {
				return readErr
			}
			if err != nil {
				return err
			}
		}
	}
}
