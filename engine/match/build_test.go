package match

import (
	"fmt"
	"strings"
)

func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}

func literal(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case bool:
		return Bool(v)
	case int:
		return Number(float64(v))
	case float64:
		return Number(v)
	case string:
		return Text(v)
	case Set:
		return In(v)
	}
	panic(fmt.Sprintf("no literal: %T", v))
}
