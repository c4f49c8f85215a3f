package echo

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"nhooyr.io/websocket"
)

// options are the parameters that Handler documents.
type options struct {
	delay       time.Duration
	status      int // 0: accept
	protocol    string
	compression websocket.CompressionMode
	headers     bool
	push, size  int
	pushType    websocket.MessageType
	closes      bool
	code        websocket.StatusCode
	reason      string
	after       int
	id          string
}

// parse reads the options from a query and returns the error of the last bad one.
func parse(query url.Values) (o options, err error) {
	bad := func(name, want string) {
		err = fmt.Errorf("%s=%q: want %s", name, query.Get(name), want)
	}
	number := func(name string, unset, low, high int) int {
		if !query.Has(name) {
			return unset
		}
		n, e := strconv.Atoi(query.Get(name))
		if e != nil || n < low || n > high {
			bad(name, fmt.Sprintf("a number from %d to %d", low, high))
		}
		return n
	}
	flag := func(name string) bool {
		if !query.Has(name) {
			return false
		}
		b, e := strconv.ParseBool(query.Get(name))
		if e != nil {
			bad(name, "0 or 1")
		}
		return b
	}

	if query.Has("delay") {
		var e error
		if o.delay, e = time.ParseDuration(query.Get("delay")); e != nil || o.delay < 0 {
			bad("delay", "a duration such as 1500ms")
		}
	}
	o.status = number("status", 0, 200, 599)
	o.protocol = "first"
	if query.Has("protocol") {
		o.protocol = query.Get("protocol")
	}
	if flag("deflate") {
		o.compression = websocket.CompressionNoContextTakeover
	}

	o.headers = flag("headers")
	o.push = number("push", 0, 0, 1e9)
	o.size = number("size", 64, 10, 64<<20)
	switch query.Get("type") {
	case "", "text":
		o.pushType = websocket.MessageText
	case "binary":
		o.pushType = websocket.MessageBinary
	default:
		bad("type", "text or binary")
	}

	o.closes = query.Has("code") || query.Has("reason") || query.Has("after")
	o.code = websocket.StatusCode(number("code", 1000, 1000, 4999))
	if o.code == 1004 || o.code > 1014 && o.code < 3000 {
		bad("code", "1000 to 1014 less 1004, or 3000 to 4999")
	}
	o.reason = query.Get("reason")
	if len(o.reason) > 123 {
		bad("reason", "at most 123 bytes")
	}
	if o.reason != "" && (o.code == websocket.StatusNoStatusRcvd || o.code == websocket.StatusAbnormalClosure) {
		bad("reason", fmt.Sprintf("none with code %d", o.code))
	}
	o.after = number("after", 0, 0, 1e9)
	o.id = query.Get("id")
	return o, err
}
