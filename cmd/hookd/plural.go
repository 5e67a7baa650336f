package main

import "strconv"

// plural counts things: "1 rule", "2 rules".
func plural[N ~int | ~uint | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatUint(uint64(n), 10) + " " + noun + "s"
}
