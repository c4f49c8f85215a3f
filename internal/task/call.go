package task

import (
	"math"
	"slices"
	"strconv"
)

// Refusal is an error whose text is the errMsg that a caller's fail is given.
type Refusal string

// Error returns the errMsg.
func (r Refusal) Error() string { return string(r) }

// Call is what the host read of a connectSocket call's option.
type Call struct {
	// Type of the option, as an errMsg names it: Undefined, Null, Array, String,
	// Object … When it is not Object all else is empty.
	Type string
	// Fault is what reading the option threw or found amiss, and where.
	Fault string
	// URLType is the type of url, URL its value where that is a String.
	URLType string
	URL     string
	// Scheme ("wss:") and Host ("a.example:8080") as the host's URL parser gives
	// them, in lower case; empty where the URL does not parse.
	Scheme, Host string
	// Timeout in milliseconds, NaN where none is given.
	Timeout float64
	// Relayed says that the WebSocket leads to the relay: it is configured, and
	// the call has an option that a browser alone cannot honour.
	Relayed bool
	// Reconnect where the call asks for it.
	Reconnect *Reconnect
}

// Admission is what an accepted call gets.
type Admission struct {
	ID int32
	// Timeout in whole milliseconds after which the host posts a [Failure].
	Timeout int32
	// Uptime in milliseconds after which the host posts a [Stable], each time that
	// the task is open; 0 where it does not reconnect.
	Uptime int32
}

const parameterError = "connectSocket:fail parameter error: "

func (c *Call) check(domains []string) error {
	switch {
	case c.Type != "Object":
		return Refusal(parameterError + "parameter should be Object instead of " + c.Type)
	case c.Fault != "":
		return Refusal(parameterError + c.Fault)
	case c.URLType != "String":
		return Refusal(parameterError + "parameter.url should be String instead of " + c.URLType)
	case c.Scheme != "ws:" && c.Scheme != "wss:":
		return Refusal(`connectSocket:fail invalid url "` + c.URL + `"`)
	case len(domains) > 0 && !slices.Contains(domains, c.Scheme+"//"+c.Host):
		return Refusal("connectSocket:fail url not in domain list")
	case c.Reconnect != nil:
		return c.Reconnect.check()
	}
	return nil
}

const (
	defaultTimeout = 60_000
	maxTimeout     = 1<<31 - 1 // what setTimeout takes; beyond it fires at once
)

// timeout gives the whole milliseconds for an asked timeout: the default for
// what is not positive and finite.
func timeout(ms float64) int32 {
	switch {
	case !(ms > 0 && ms <= math.MaxFloat64):
		return defaultTimeout
	case ms >= maxTimeout:
		return maxTimeout
	case ms < 1:
		return 1
	}
	return int32(ms)
}

// CloseCall is what the host read of a close call's option.
type CloseCall struct {
	// Fault is what reading the option threw or found amiss, and where.
	Fault string
	// Code; 1000 where none is given.
	Code float64
	// ReasonBytes is the reason's length in UTF-8.
	ReasonBytes int
}

// check applies the rules of the WHATWG WebSocket's close: code 1000 or 3000
// to 4999, a reason of at most 123 bytes (RFC 6455 section 5.5).
func (c *CloseCall) check() error {
	switch {
	case c.Fault != "":
		return Refusal("closeSocket:fail parameter error: " + c.Fault)
	case c.Code != math.Trunc(c.Code) || math.Abs(c.Code) > math.MaxInt32:
		return Refusal("closeSocket:fail invalid code: should be a whole number, 1000 or 3000 to 4999")
	case c.Code != 1000 && (c.Code < 3000 || c.Code > 4999):
		return Refusal("closeSocket:fail invalid code " + strconv.Itoa(int(c.Code)) + ": should be 1000 or 3000 to 4999")
	case c.ReasonBytes > 123:
		return Refusal("closeSocket:fail reason too long: " + strconv.Itoa(c.ReasonBytes) + " bytes of UTF-8, at most 123")
	}
	return nil
}
