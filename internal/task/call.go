package task

import (
	"math"
	"slices"
	"strconv"
)

// Refusal is an error whose text is the errMsg for a caller's fail.
type Refusal string

// Error returns the errMsg.
func (r Refusal) Error() string { return string(r) }

// Call is what the host read of a connectSocket call's option.
type Call struct {
	// Fault says what went wrong while reading the option, and where; empty if
	// nothing did. What comes after it is empty then.
	Fault string
	// URL is as it was given.
	URL string
	// Scheme ("wss:") and Host ("a.example:8080") are as the host's URL parser gives
	// them, in lower case; empty if the URL does not parse.
	Scheme, Host string
	// Relayed says that the WebSocket leads to the relay.
	Relayed bool
	// Reconnect and Heartbeat are nil if the call does not ask for them.
	Reconnect *Reconnect
	Heartbeat *Heartbeat
}

const parameterError = "connectSocket:fail parameter error: "

func (c *Call) check(domains []string) error {
	switch {
	case c.Fault != "":
		return Refusal(parameterError + c.Fault)
	case c.Scheme != "ws:" && c.Scheme != "wss:":
		return Refusal(`connectSocket:fail invalid url "` + c.URL + `"`)
	case len(domains) > 0 && !slices.Contains(domains, c.Scheme+"//"+c.Host):
		return Refusal("connectSocket:fail url not in domain list")
	}
	if err := c.Reconnect.check(); err != nil {
		return err
	}
	return c.Heartbeat.check()
}

// CloseCall is what the host read of a close call's option.
type CloseCall struct {
	// Fault says what went wrong while reading the option, and where; empty if
	// nothing did.
	Fault string
	// Code; 1000 if none is given.
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
