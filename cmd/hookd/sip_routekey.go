package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hookd/hookd/engine/statedir"
)

// routeKeyName is the name of the state file with the key of Record-Route.
const routeKeyName = "sip-route-key"

type routeKeyFile struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`
	Key     []byte `json:"key"`
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
