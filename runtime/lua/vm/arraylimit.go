package vm

import (
	"sync"

	glua "github.com/yuin/gopher-lua"
)

// MaxArray is the greatest key that goes to the array part of a table. A single
// store at a great key makes gopher-lua allocate, and walk, all the places below
// it: up to 67 million unless told otherwise.
const MaxArray = 1 << 20

// MaxChain is how many tables one lookup goes through by way of __index: it
// counts as one instruction.
const MaxChain = 4

// arrayLimit guards the settings of gopher-lua that are variables of its
// package. They are the same for all machines of the process and set before the
// first of them runs.
var arrayLimit sync.Once

func lowerArrayLimit() {
	arrayLimit.Do(func() { glua.MaxArrayIndex, glua.MaxTableGetLoop = MaxArray, MaxChain })
}
