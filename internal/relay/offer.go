package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"time"
	"unicode/utf8"
)

// defaultTimeout is the API's own.
const defaultTimeout = 60 * time.Second

// offer is what a page asks for, as decoded: nothing in it has been judged but its form.
type offer struct {
	url       string
	header    []field
	protocols []string
	noDelay   *bool // nil: the system's choice
	deflate   bool
	timeout   time.Duration

	parsed *url.URL // set by policy.offer
	rule   *rule    // set by policy.offer, if the upstream is allowed
}

type field struct{ name, value string }

// target is the upstream's host and port, for the log: nothing that a page may hold to be secret. It is empty before
// policy.offer has parsed the URL.
func (o *offer) target() string {
	if o.parsed == nil {
		return ""
	}
	return net.JoinHostPort(o.parsed.Hostname(), port(o.parsed))
}

// decodeOffer reads one JSON object strictly: known keys, each once, of their types; null is as good as absent.
func decodeOffer(b []byte) (*offer, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("invalid UTF-8")
	}
	o := &offer{timeout: defaultTimeout}
	dec := json.NewDecoder(bytes.NewReader(b))
	err := decodeObject(dec, func(key string) error {
		switch key {
		case "url":
			return dec.Decode(&o.url)
		case "header":
			return decodeObject(dec, func(name string) error {
				f := field{name: name}
				err := dec.Decode(&f.value)
				o.header = append(o.header, f)
				return err
			})
		case "protocols":
			return dec.Decode(&o.protocols)
		case "tcpNoDelay":
			return dec.Decode(&o.noDelay)
		case "perMessageDeflate":
			return dec.Decode(&o.deflate)
		case "timeout":
			var ms float64
			if err := dec.Decode(&ms); err != nil {
				return err
			}
			if ms > 0 {
				o.timeout = time.Duration(min(math.Ceil(ms), math.MaxInt32) * float64(time.Millisecond))
			}
			return nil
		}
		return errors.New("unknown")
	})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return o, nil
}

// decodeObject hands the keys of the object that follows in dec to value, which must decode what belongs to each.
func decodeObject(dec *json.Decoder, value func(key string) error) error {
	switch t, err := dec.Token(); {
	case err != nil:
		return errors.New("no JSON")
	case t == nil:
		return nil
	case t != json.Delim('{'):
		return errors.New("no JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return errors.New("no JSON")
		}
		key := t.(string) // the decoder takes nothing else for a key
		if seen[key] {
			return fmt.Errorf("%.40q is there twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			var typ *json.UnmarshalTypeError
			if errors.As(err, &typ) {
				err = fmt.Errorf("%s instead of %s", typ.Value, typ.Type)
			}
			return fmt.Errorf("%.40q: %w", key, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("no JSON")
	}
	return nil
}
