package source

// kind is what a token is. Reserved words and operators have a kind each.
type kind uint8

const (
	tEOF kind = iota
	tName
	tNumber
	tString

	tPlus
	tMinus
	tStar
	tSlash
	tPercent
	tCaret
	tHash
	tEq
	tNe
	tLe
	tGe
	tLt
	tGt
	tAssign
	tLParen
	tRParen
	tLBrace
	tRBrace
	tLBracket
	tRBracket
	tSemicolon
	tColon
	tLabel
	tComma
	tDot
	tConcat
	tDots

	tAnd
	tBreak
	tDo
	tElse
	tElseIf
	tEnd
	tFalse
	tFor
	tFunction
	tGoto
	tIf
	tIn
	tLocal
	tNil
	tNot
	tOr
	tRepeat
	tReturn
	tThen
	tTrue
	tUntil
	tWhile
)

// spelling is how each kind with one spelling is written.
var spelling = [...]string{
	tEOF: "<eof>", tName: "<name>", tNumber: "<number>", tString: "<string>",
	tPlus: "+", tMinus: "-", tStar: "*", tSlash: "/", tPercent: "%", tCaret: "^", tHash: "#",
	tEq: "==", tNe: "~=", tLe: "<=", tGe: ">=", tLt: "<", tGt: ">", tAssign: "=",
	tLParen: "(", tRParen: ")", tLBrace: "{", tRBrace: "}", tLBracket: "[", tRBracket: "]",
	tSemicolon: ";", tColon: ":", tLabel: "::", tComma: ",", tDot: ".", tConcat: "..", tDots: "...",
	tAnd: "and", tBreak: "break", tDo: "do", tElse: "else", tElseIf: "elseif", tEnd: "end",
	tFalse: "false", tFor: "for", tFunction: "function", tGoto: "goto", tIf: "if", tIn: "in",
	tLocal: "local", tNil: "nil", tNot: "not", tOr: "or", tRepeat: "repeat", tReturn: "return",
	tThen: "then", tTrue: "true", tUntil: "until", tWhile: "while",
}

func (k kind) String() string { return spelling[k] }

// reserved tells whether k is a reserved word.
func (k kind) reserved() bool { return k >= tAnd }

// literal tells whether k is a value by itself.
func (k kind) literal() bool {
	switch k {
	case tNumber, tString, tNil, tTrue, tFalse, tDots:
		return true
	}
	return false
}

// word returns the reserved word that text is, or tName.
func word(text []byte) kind {
	switch string(text) { // does not allocate
	case "and":
		return tAnd
	case "break":
		return tBreak
	case "do":
		return tDo
	case "else":
		return tElse
	case "elseif":
		return tElseIf
	case "end":
		return tEnd
	case "false":
		return tFalse
	case "for":
		return tFor
	case "function":
		return tFunction
	case "goto":
		return tGoto
	case "if":
		return tIf
	case "in":
		return tIn
	case "local":
		return tLocal
	case "nil":
		return tNil
	case "not":
		return tNot
	case "or":
		return tOr
	case "repeat":
		return tRepeat
	case "return":
		return tReturn
	case "then":
		return tThen
	case "true":
		return tTrue
	case "until":
		return tUntil
	case "while":
		return tWhile
	}
	return tName
}

// token is a piece of the source. Offsets are 32 bits wide, which MaxSize allows.
type token struct {
	from, to int32
	kind     kind
}
