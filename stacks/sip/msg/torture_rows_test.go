package msg

const ownHead = `Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKown
Max-Forwards: 70
From: <sip:caller@example.net>;tag=3234
To: <sip:user@example.com>
Call-ID: own.0ha0isndaksdj
CSeq: 8 OPTIONS
`

var tortures = []torture{
	{rfc: "4475", section: "3.1.1.1", name: "wsinv", want: relayed, note: "white space and folding wherever they may be"},
	{
		rfc: "4475", section: "3.1.1.2", name: "intmeth", want: relayed, note: "any token is a method; quoted strings and escapes hold anything",
		own: "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n" +
			"Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\nTo: \"BEL:\a NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n" +
			"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\xd1\x80\xd0\xb0\";tag=_token~1'+`*%!-.\n" +
			"Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\n" +
			"extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb\nContent-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.1.1.3", name: "esc01", want: relayed, note: "escaped characters in a URI are kept"},
	{
		rfc: "4475", section: "3.1.1.4", name: "escnull", want: relayed, note: "so are escaped zeros",
		own: "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\nMax-Forwards: 70\n" +
			"Call-ID: own.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\n" +
			"Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n",
	},
	{rfc: "4475", section: "3.1.1.5", name: "esc02", want: relayed, note: "a percent sign in a method or a header's name is no escape"},
	{rfc: "4475", section: "3.1.1.6", name: "lwsdisp", want: relayed, note: "no space between display name and bracket"},
	{rfc: "4475", section: "3.1.1.7", name: "longreq", want: relayed, note: "long values, many Via"},
	{rfc: "4475", section: "3.1.1.8", name: "dblreq", want: relayed, note: "what follows the body in a datagram is ignored"},
	{rfc: "4475", section: "3.1.1.9", name: "semiuri", want: relayed, note: "a semicolon in the user part is no parameter"},
	{
		rfc: "4475", section: "3.1.1.10", name: "transports", want: relayed, note: "any transport in Via",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK3\n" +
			"Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bK4\nl: 0\n\n",
	},
	{rfc: "4475", section: "3.1.1.11", name: "mpart01", want: relayed, note: "a body of several parts, binary ones too"},
	{
		rfc: "4475", section: "3.1.1.12", name: "unreason", want: relayed, note: "a reason phrase in UTF-8",
		own: "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		rfc: "4475", section: "3.1.1.13", name: "noreason", want: relayed, note: "an empty reason phrase",
		own: "SIP/2.0 100 \n" + ownHead + "Content-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.1.2.1", name: "badinv01", want: "400 Bad Via", note: "separators where nothing is to be separated"},
	{rfc: "4475", section: "3.1.2.2", name: "clerr", want: "400 Body Shorter Than Content-Length", note: "in a datagram; on a stream the rest is waited for"},
	{
		rfc: "4475", section: "3.1.2.3", name: "ncl", want: "400 Bad Content-Length", note: "a negative length",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: -999\n\n",
	},
	{
		rfc: "4475", section: "3.1.2.4", name: "scalar02", want: "400 Bad CSeq", note: "numbers beyond their range",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\n" +
			"CSeq: 36893488147419103232 REGISTER\nCall-ID: own.23o0pd9vanlq3wnrlnewofjas9ui32\nMax-Forwards: 300\nExpires: 1000000000000000000000\nContent-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.1.2.5", name: "scalarlg", want: dropped, note: "the same in a reply"},
	{rfc: "4475", section: "3.1.2.6", name: "quotbal", want: "400 Bad To", note: "a quoted string that does not end"},
	{
		rfc: "4475", section: "3.1.2.7", name: "ltgtruri", want: "400 Bad Request-URI", note: "angle brackets around the request URI",
		own: "OPTIONS <sip:user@example.com> SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		rfc: "4475", section: "3.1.2.8", name: "lwsruri", want: "400 Bad Request-URI", note: "white space inside the request URI",
		own: "OPTIONS sip:user@example.com; lr SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.1.2.9", name: "lwsstart", want: "400 Bad Request-URI", note: "more than one space in the start line"},
	{rfc: "4475", section: "3.1.2.10", name: "trws", want: "400 White Space After Version", note: "white space at the start line's end"},
	{rfc: "4475", section: "3.1.2.11", name: "escruri", want: "400 Header Fields In Request-URI", note: "header fields are for URIs that people click"},
	{rfc: "4475", section: "3.1.2.12", name: "baddate", want: relayed, note: "a proxy reads no Date"},
	{rfc: "4475", section: "3.1.2.13", name: "regbadct", want: relayed, note: "the registrar refuses the Contact"},
	{rfc: "4475", section: "3.1.2.14", name: "badaspec", want: "400 Bad To", note: "white space inside angle brackets"},
	{
		rfc: "4475", section: "3.1.2.15", name: "baddn", want: "400 Bad From", note: "a display name that would need quotes",
		own: "OPTIONS sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: Caller, Alexander <sip:caller@example.com>;tag=43\n" +
			"To: <sip:user@example.com>\nCall-ID: own.31415@c.example.com\nCSeq: 3923239 OPTIONS\nContent-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.1.2.16", name: "badvers", want: "505 Version Not Supported", note: "another version"},
	{
		rfc: "4475", section: "3.1.2.17", name: "mismatch01", want: "400 CSeq Names Another Method", note: "the methods of start line and CSeq differ",
		own: "OPTIONS sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKown\nMax-Forwards: 70\nFrom: <sip:caller@example.net>;tag=3234\n" +
			"To: <sip:user@example.com>\nCall-ID: own.dj0234sxdfl3\nCSeq: 8 INVITE\nContent-Length: 0\n\n",
	},
	{
		rfc: "4475", section: "3.1.2.18", name: "mismatch02", want: "400 CSeq Names Another Method", note: "the same with an unknown method",
		own: "NEWMETHOD sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		rfc: "4475", section: "3.1.2.19", name: "bigcode", want: dropped, note: "a status of more than three digits",
		own: "SIP/2.0 4294967301 better not break the receiver\n" + ownHead + "Content-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.2.1", name: "badbranch", want: relayed, note: "a branch that is nothing but the cookie identifies as RFC 2543 did"},
	{rfc: "4475", section: "3.3.1", name: "insuf", want: "400 Missing From", note: "mandatory fields are absent"},
	{
		rfc: "4475", section: "3.3.2", name: "unkscm", want: "416 Unsupported URI Scheme", note: "an unknown scheme in the request URI",
		own: "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.3.3", name: "novelsc", want: "416 Unsupported URI Scheme", note: "a known scheme, but none of SIP's"},
	{
		rfc: "4475", section: "3.3.4", name: "unksm2", want: relayed, note: "the registrar refuses the To",
		own: "REGISTER sip:example.com SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nCall-ID: own.daksdj@hyphenated-host.example.com\nCSeq: 234902 REGISTER\n" +
			"Max-Forwards: 70\nVia: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKddfg\nContact: <name:John_Smith>\nl: 0\n\n",
	},
	{rfc: "4475", section: "3.3.5", name: "bext01", want: "420 Bad Extension", note: "Proxy-Require names what no proxy has; Require is not for proxies"},
	{rfc: "4475", section: "3.3.6", name: "invut", want: relayed, note: "the callee refuses the type of body"},
	{rfc: "4475", section: "3.3.7", name: "regaut01", want: relayed, note: "the registrar refuses the scheme of credentials"},
	{rfc: "4475", section: "3.3.8", name: "multi01", want: "400 More Than One From", note: "several values where one may be"},
	{
		rfc: "4475", section: "3.3.9", name: "mcl01", want: "400 More Than One Content-Length", note: "several lengths",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: 13\nContent-Length: 5\nContent-Type: text/plain\n\nThere's no way to know how many octets are supposed to be here.\n",
	},
	{rfc: "4475", section: "3.3.10", name: "bcast", want: relayed, note: "well-formed; the transactions drop it, since the topmost Via is another's"},
	{rfc: "4475", section: "3.3.11", name: "zeromf", want: "483 Too Many Hops", note: "no hop is left"},
	{
		rfc: "4475", section: "3.3.12", name: "cparam01", want: relayed, note: "an unknown parameter of Contact",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe\nTo: sip:watson@example.com\n" +
			"Call-ID: own.70710@saturn.example.com\nCSeq: 2 REGISTER\nContact: sip:+19725552222@gw1.example.net;unknownparam\nl: 0\n\n",
	},
	{
		rfc: "4475", section: "3.3.13", name: "cparam02", want: relayed, note: "an unknown parameter of the URI in Contact",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: sip:watson@example.com;tag=838293\nTo: sip:watson@example.com\n" +
			"Call-ID: own.70710@saturn.example.com\nCSeq: 3 REGISTER\nContact: <sip:+19725552222@gw1.example.net;unknownparam>\nl: 0\n\n",
	},
	{rfc: "4475", section: "3.3.14", name: "regescrt", want: relayed, note: "a Contact with a header component is the registrar's to keep"},
	{
		rfc: "4475", section: "3.3.15", name: "sdp01", want: relayed, note: "the callee refuses an Accept that it cannot meet",
		own: "INVITE sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bK-39234-23523\nMax-Forwards: 70\nFrom: <sip:caller@example.net>;tag=abc\nTo: <sip:user@example.com>\n" +
			"Call-ID: own.ab9v\nCSeq: 8 INVITE\nAccept: text/nobodyKnowsThis\nContent-Length: 0\n\n",
	},
	{rfc: "4475", section: "3.4.1", name: "inv2543", want: relayed, note: "a request of RFC 2543: no cookie, no Max-Forwards"},
	{
		rfc: "5118", section: "4.1", name: "ipv6-good", want: relayed, note: "IPv6 in brackets",
		own: "REGISTER sip:[2001:db8::10] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\n" +
			"Call-ID: own.SSG9559905523997077@[2001:db8::9:1]\nMax-Forwards: 70\nContact: \"Caller\" <sip:caller@[2001:db8::1]>\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
	},
	{rfc: "5118", section: "4.2", name: "ipv6-bad", want: "400 Bad Request-URI", note: "IPv6 without brackets"},
	{
		rfc: "5118", section: "4.3", name: "port-ambiguous", want: relayed, note: "what looks like a port inside the brackets is none",
		own: "REGISTER sip:[2001:db8::10:5070] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\n" +
			"Call-ID: own.SSG9559905523997077@[2001:db8::9:1]\nMax-Forwards: 70\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
	},
	{rfc: "5118", section: "4.4", name: "port-unambiguous", want: relayed, note: "a port behind the brackets"},
	{rfc: "5118", section: "4.5", name: "via-received-param-no-delim", want: relayed, note: "received without brackets, which is right by the grammar"},
	{
		rfc: "5118", section: "4.5", name: "via-received-param-with-delim", want: relayed, note: "received with brackets, which many send",
		own: "OPTIONS sip:[2001:db8::10] SIP/2.0\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3\n" + ownHead + "Content-Length: 0\n\n",
	},
	{rfc: "5118", section: "4.6", name: "ipv6-in-sdp", want: relayed, note: "IPv6 in the session description"},
	{rfc: "5118", section: "4.7", name: "mult-ip-in-header", want: relayed, note: "both families in the header"},
	{rfc: "5118", section: "4.8", name: "mult-ip-in-sdp", want: relayed, note: "both families in the session description"},
	{rfc: "5118", section: "4.9", name: "ipv4-mapped-ipv6", want: relayed, note: "IPv4 in IPv6"},
	{
		rfc: "5118", section: "4.10", name: "ipv6-bug-abnf-3-colons", want: relayed, note: "three colons, as RFC 3261's grammar made them",
		own: "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		rfc: "5118", section: "4.10", name: "ipv6-bug-abnf-2-colons", want: relayed, note: "two colons, as RFC 5954 mended it",
		own: "OPTIONS sip:user@[2001:db8::192.0.2.1] SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
}
