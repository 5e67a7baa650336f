package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/stacks/sip"
)

// routeKeyName is the name of the state file with the key of Record-Route.
const routeKeyName = "sip-route-key"

type routeKeyFile struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Key     []byte `json:"key"`
}

// proveRoutes gives the SIP core the key of its routes, and says so where the next process will
// not know them: at the first where no state is kept, since most servers record none.
func proveRoutes(c *sip.Config, dir *statedir.Dir, log *slog.Logger) {
	var err error
	if c.RouteKey, err = routeKey(dir); err != nil {
		log.Warn("routes of SIP dialogs of an earlier run are not known, or these will not be in a later one", "err", err)
	}
	if dir == nil {
		c.Recorded = sync.OnceFunc(func() {
			log.Info("SIP calls that begin now are not known behind a restart: the key of their Record-Route is kept with --state DIR only")
		})
	}
}

// routeKey returns the key that the routes of dialogs are proven with: that of an earlier
// process, since dialogs outlive it, else a new one, which is kept in dir if there is one. What
// cannot be read is set aside. The key is good also where an error says that it will not last.
func routeKey(dir *statedir.Dir) (key [16]byte, err error) {
	_, _ = rand.Read(key[:]) // never fails, says its package
	if dir == nil {
		return key, nil
	}
	old := routeKeyFile{}
	found, err := dir.Load(routeKeyName, func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(&old); err != nil {
			return err
		}
		if old.Kind != routeKeyName || old.Version != 1 || len(old.Key) != len(key) {
			return errors.New("no key")
		}
		return nil
	})
	switch {
	case err != nil:
		err = errors.Join(fmt.Errorf("%s: %w", dir.Path(routeKeyName), err), dir.SetAside(routeKeyName))
	case found:
		return [16]byte(old.Key), nil
	}
	return key, errors.Join(err, dir.Save(routeKeyName, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(routeKeyFile{routeKeyName, 1, key[:]})
	}))
}
