package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// The bounds of what the operator's endpoint may answer.
const (
	maxAuthorizeHeader = 16 << 10 // bytes
	maxAuthorizeReason = 1 << 10  // bytes that are read of a body
	upstreamPrefix     = "Upstream-"
)

// authorizer asks the operator's endpoint about each page.
type authorizer struct {
	url     string
	timeout time.Duration
	client  http.Client
}

// newAuthorizer returns an authorizer that asks endpoint, an http or https URL.
func newAuthorizer(endpoint string, timeout time.Duration) (*authorizer, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the endpoint that authorizes pages is not an http or https URL")
	}
	return &authorizer{url: endpoint, timeout: timeout, client: http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxAuthorizeHeader,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// unanswered is the failure of a question, not of a page.
func unanswered(reason string) *failure {
	return &failure{outcome: "authorize_failed", reason: "authorize: " + reason, text: "the relay could not ask whether this page may connect"}
}

// ask asks whether a page may have what it offers, and returns the header that the endpoint adds for the upstream. It blocks
// until the answer, the time-out or the end of ctx.
func (a *authorizer) ask(ctx context.Context, page *http.Request, o *offer, client netip.Addr, id string) (http.Header, *failure) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, unanswered("no request")
	}
	for _, name := range []string{"Cookie", "Authorization", "Origin", "User-Agent"} {
		if values := page.Header.Values(name); len(values) > 0 {
			req.Header[name] = values
		}
	}
	for _, f := range o.header { // a browser sends no Authorization of the page's choice
		if strings.EqualFold(f.name, "Authorization") && req.Header.Get("Authorization") == "" {
			req.Header.Set("Authorization", f.value)
		}
	}
	req.Header.Set("X-Forwarded-For", client.String())
	req.Header.Set(requestID, id)
	target := url.URL{Scheme: o.parsed.Scheme, Host: o.parsed.Host, Path: o.parsed.Path, RawPath: o.parsed.RawPath}
	req.Header.Set("X-Upstream", target.String())

	resp, err := a.client.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, unanswered("no answer in time")
		}
		return nil, unanswered("no valid answer")
	}
	defer resp.Body.Close()
	// Read to its end, where that is near, so that the connection serves again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAuthorizeReason))
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		text := http.StatusText(resp.StatusCode)
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/plain" {
			text = printable(string(body), text)
		}
		return nil, &failure{outcome: "unauthorized", status: resp.StatusCode, reason: "refused by the endpoint", text: text}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, unanswered(fmt.Sprintf("status %d", resp.StatusCode))
	case err != nil:
		return nil, unanswered("an answer that breaks off")
	}
	add := http.Header{}
	for name, values := range resp.Header {
		name, ok := strings.CutPrefix(name, upstreamPrefix)
		for _, v := range values {
			if !ok {
				break
			}
			if checkField(field{name, v}, connectionFields) != "" {
				return nil, unanswered("a header that may not be set")
			}
			add.Add(name, v)
		}
	}
	return add, nil
}

// printable is the first line of s as it may be shown to a user, or instead if there is none.
func printable(s, instead string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(strings.ToValidUTF8(s, "")), "\n")
	s = cut(strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)), 500)
	if s == "" {
		return instead
	}
	return s
}
