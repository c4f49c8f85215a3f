package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certFiles is a certificate that follows its files.
type certFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	checked time.Time
	changed [2]time.Time // of the files, as loaded
	current *tls.Certificate
}

// load reads the files, and warns of a certificate that browsers will refuse for its dates. The caller holds mu, or is alone.
func (c *certFiles) load() error {
	changed := c.stat()
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("loading the certificate: %w", err)
	}
	c.current, c.changed = &pair, changed
	switch now := time.Now(); {
	case now.After(pair.Leaf.NotAfter):
		c.log.Warn("the certificate has expired", "file", c.cert, "at", pair.Leaf.NotAfter)
	case now.Before(pair.Leaf.NotBefore):
		c.log.Warn("the certificate is not valid yet", "file", c.cert, "until", pair.Leaf.NotBefore)
	}
	return nil
}

func (c *certFiles) stat() (changed [2]time.Time) {
	for i, name := range [...]string{c.cert, c.key} {
		if fi, err := os.Stat(name); err == nil {
			changed[i] = fi.ModTime()
		}
	}
	return changed
}

// certificate implements tls.Config.GetCertificate. It looks at the files once a second at most, and keeps the old
// certificate while the new one cannot be read, as between the writing of one file and the other.
func (c *certFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= time.Second {
		c.checked = now
		if c.stat() != c.changed {
			if err := c.load(); err != nil {
				c.log.Error("keeping the old certificate", "reason", err.Error())
			} else {
				c.log.Info("certificate reloaded")
			}
		}
	}
	return c.current, nil
}
