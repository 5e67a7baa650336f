package msgtest

const ownHead = `Via: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKown
Max-Forwards: 70
From: <sip:caller@example.net>;tag=3234
To: <sip:user@example.com>
Call-ID: own.0ha0isndaksdj
CSeq: 8 OPTIONS
`

// Tortures are the messages, in the order of the documents.
var Tortures = []Torture{
	{RFC: "4475", Section: "3.1.1.1", Name: "wsinv", Want: Relayed, Reads: "forwards=68; cseq=9; vias=UDP/192.0.2.2 TCP/spindle.example.com UDP/192.168.255.111; fromtag=98asjd8; totag=1918181833n; contacts=sip:jdrosen@example.com; body=150", Note: "white space and folding wherever they may be"},
	{
		RFC: "4475", Section: "3.1.1.2", Name: "intmeth", Want: Relayed, Reads: "method=; host=example.com; forwards=255; cseq=139122385; fromtag=_token~1'+`*%!-.", Note: "any token is a method; quoted strings and escapes hold anything",
		own: "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n" +
			"Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\nTo: \"BEL:\a NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n" +
			"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\xd1\x80\xd0\xb0\";tag=_token~1'+`*%!-.\n" +
			"Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\n" +
			"extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb\nContent-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.1.3", Name: "esc01", Want: Relayed, Reads: "user=sips:user@example.com; host=example.net; port=0", Note: "escaped characters in a URI are kept"},
	{
		RFC: "4475", Section: "3.1.1.4", Name: "escnull", Want: Relayed, Registrar: "200 sip:%00%00@host5.example.com sip:%00@host5.example.com", Reads: "contacts=sip:%00@host5.example.com sip:%00%00@host5.example.com", Note: "so are escaped zeros: two contacts that differ in nothing else are two",
		own: "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\nMax-Forwards: 70\n" +
			"Call-ID: own.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\n" +
			"Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n",
	},
	{RFC: "4475", Section: "3.1.1.5", Name: "esc02", Want: Relayed, Reads: "method=; display=%Z%45; contacts=sip:alias1@host1.example.com sip:alias3@host3.example.com", Note: "a percent sign in a method or a header's name is no escape: it is no REGISTER, and one of three lines is no Contact"},
	{RFC: "4475", Section: "3.1.1.6", Name: "lwsdisp", Want: Relayed, Reads: "fromtag=323", Note: "no space between display name and bracket"},
	{RFC: "4475", Section: "3.1.1.7", Name: "longreq", Want: Relayed, Reads: "cseq=3882340; host=example.com; body=150", Note: "long values, many Via"},
	{RFC: "4475", Section: "3.1.1.8", Name: "dblreq", Want: Relayed, Registrar: "200 sip:j.user@host.example.com", Reads: "method=REGISTER; cseq=8; body=0", Note: "what follows the body in a datagram is nobody's, and goes no further"},
	{RFC: "4475", Section: "3.1.1.9", Name: "semiuri", Want: Relayed, Reads: "user=user;par=u@example.net; host=example.com", Note: "a semicolon in the user part is no parameter"},
	{
		RFC: "4475", Section: "3.1.1.10", Name: "transports", Want: Relayed, Reads: "vias=UDP/192.0.2.5 SCTP/t2.example.com TLS/t3.example.com UNKNOWN/t4.example.com", Note: "any transport in Via",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bK2\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK3\n" +
			"Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bK4\nl: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.1.11", Name: "mpart01", Want: Relayed, Reads: "body=553; parts=2", Note: "a body of several parts, binary ones too"},
	{
		RFC: "4475", Section: "3.1.1.12", Name: "unreason", Want: Relayed, Reads: "reason== 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe", Note: "a reason phrase in UTF-8",
		own: "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		RFC: "4475", Section: "3.1.1.13", Name: "noreason", Want: Relayed, Reads: "reason=", Note: "an empty reason phrase",
		own: "SIP/2.0 100 \n" + ownHead + "Content-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.2.1", Name: "badinv01", Want: "400 Bad Via", Note: "separators where nothing is to be separated; the answer goes to where it came from, since no Via says where"},
	{RFC: "4475", Section: "3.1.2.2", Name: "clerr", Want: "400 Body Shorter Than Content-Length", Note: "in a datagram; on a stream the rest is waited for"},
	{
		RFC: "4475", Section: "3.1.2.3", Name: "ncl", Want: "400 Bad Content-Length", Note: "a negative length",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: -999\n\n",
	},
	{
		RFC: "4475", Section: "3.1.2.4", Name: "scalar02", Want: "400 Bad CSeq", Registrar: "400", Note: "numbers beyond their range",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3\nTo: <sip:user@example.com>\nFrom: <sip:user@example.com>;tag=239232jh3\n" +
			"CSeq: 36893488147419103232 REGISTER\nCall-ID: own.23o0pd9vanlq3wnrlnewofjas9ui32\nMax-Forwards: 300\nExpires: 1000000000000000000000\nContent-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.2.5", Name: "scalarlg", Want: Dropped, Note: "the same in a reply"},
	{RFC: "4475", Section: "3.1.2.6", Name: "quotbal", Want: "400 Bad To", Note: "a quoted string that does not end"},
	{
		RFC: "4475", Section: "3.1.2.7", Name: "ltgtruri", Want: "400 Bad Request-URI", Note: "angle brackets around the request URI",
		own: "OPTIONS <sip:user@example.com> SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		RFC: "4475", Section: "3.1.2.8", Name: "lwsruri", Want: "400 Bad Request-URI", Note: "white space inside the request URI",
		own: "OPTIONS sip:user@example.com; lr SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.2.9", Name: "lwsstart", Want: "400 Bad Request-URI", Note: "more than one space in the start line"},
	{RFC: "4475", Section: "3.1.2.10", Name: "trws", Want: "400 White Space After Version", Note: "white space at the start line's end"},
	{RFC: "4475", Section: "3.1.2.11", Name: "escruri", Want: "400 Header Fields In Request-URI", Note: "header fields are for URIs that people click"},
	{RFC: "4475", Section: "3.1.2.12", Name: "baddate", Want: Relayed, Note: "a proxy reads no Date"},
	{RFC: "4475", Section: "3.1.2.13", Name: "regbadct", Want: Relayed, Registrar: "200 sip:user@example.com?Route=%3Csip:sip.example.com%3E", Reads: "contacts=sip:user@example.com?Route=%3Csip:sip.example.com%3E", Note: "a URI with header fields belongs in angle brackets; where it stands alone nothing is ambiguous, and the registrar infers them"},
	{RFC: "4475", Section: "3.1.2.14", Name: "badaspec", Want: "400 Bad To", Note: "white space inside angle brackets"},
	{
		RFC: "4475", Section: "3.1.2.15", Name: "baddn", Want: "400 Bad From", Note: "a display name that would need quotes",
		own: "OPTIONS sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: Caller, Alexander <sip:caller@example.com>;tag=43\n" +
			"To: <sip:user@example.com>\nCall-ID: own.31415@c.example.com\nCSeq: 3923239 OPTIONS\nContent-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.1.2.16", Name: "badvers", Want: "505 Version Not Supported", Note: "another version, in Via too, so that the answer goes to where it came from"},
	{
		RFC: "4475", Section: "3.1.2.17", Name: "mismatch01", Want: "400 CSeq Names Another Method", Note: "the methods of start line and CSeq differ",
		own: "OPTIONS sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKown\nMax-Forwards: 70\nFrom: <sip:caller@example.net>;tag=3234\n" +
			"To: <sip:user@example.com>\nCall-ID: own.dj0234sxdfl3\nCSeq: 8 INVITE\nContent-Length: 0\n\n",
	},
	{
		RFC: "4475", Section: "3.1.2.18", Name: "mismatch02", Want: "400 CSeq Names Another Method", Note: "the same with an unknown method",
		own: "NEWMETHOD sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		RFC: "4475", Section: "3.1.2.19", Name: "bigcode", Want: Dropped, Note: "a status of more than three digits",
		own: "SIP/2.0 4294967301 better not break the receiver\n" + ownHead + "Content-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.2.1", Name: "badbranch", Want: Relayed, Reads: "vias=UDP/192.0.2.1", Note: "a branch that is nothing but the cookie identifies nothing: copies are told as in RFC 2543"},
	{RFC: "4475", Section: "3.3.1", Name: "insuf", Want: "400 Missing From", Note: "mandatory fields are absent, from the answer too"},
	{
		RFC: "4475", Section: "3.3.2", Name: "unkscm", Want: "416 Unsupported URI Scheme", Note: "an unknown scheme in the request URI",
		own: "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.3.3", Name: "novelsc", Want: "416 Unsupported URI Scheme", Note: "a known scheme, but none of SIP's"},
	{
		RFC: "4475", Section: "3.3.4", Name: "unksm2", Want: Relayed, Registrar: "404", Note: "an unknown scheme in To, which the registrar has no users of",
		own: "REGISTER sip:example.com SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nCall-ID: own.daksdj@hyphenated-host.example.com\nCSeq: 234902 REGISTER\n" +
			"Max-Forwards: 70\nVia: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKddfg\nContact: <name:John_Smith>\nl: 0\n\n",
	},
	{RFC: "4475", Section: "3.3.5", Name: "bext01", Want: "420 Bad Extension", Note: "Proxy-Require names what no proxy has, and the answer names that; Require is not for proxies"},
	{RFC: "4475", Section: "3.3.6", Name: "invut", Want: Relayed, Reads: "body=40", Note: "the callee refuses the type of body"},
	{RFC: "4475", Section: "3.3.7", Name: "regaut01", Want: Relayed, Registrar: "401", Note: "credentials of an unknown scheme are none: the registrar asks for some"},
	{RFC: "4475", Section: "3.3.8", Name: "multi01", Want: "400 More Than One From", Note: "several values where one may be; the answer has one of each"},
	{
		RFC: "4475", Section: "3.3.9", Name: "mcl01", Want: "400 More Than One Content-Length", Note: "several lengths",
		own: "OPTIONS sip:user@example.com SIP/2.0\n" + ownHead + "Content-Length: 13\nContent-Length: 5\nContent-Type: text/plain\n\nThere's no way to know how many octets are supposed to be here.\n",
	},
	{RFC: "4475", Section: "3.3.10", Name: "bcast", Want: Relayed, Note: "a reply goes back to where its request came from, never to an address that a Via below claims, such as that of all hosts"},
	{RFC: "4475", Section: "3.3.11", Name: "zeromf", Want: "483 Too Many Hops", Note: "no hop is left"},
	{
		RFC: "4475", Section: "3.3.12", Name: "cparam01", Want: Relayed, Registrar: "200 sip:+19725552222@gw1.example.net", Reads: "contacts=sip:+19725552222@gw1.example.net", Note: "an unknown parameter of Contact is none of its URI",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe\nTo: sip:watson@example.com\n" +
			"Call-ID: own.70710@saturn.example.com\nCSeq: 2 REGISTER\nContact: sip:+19725552222@gw1.example.net;unknownparam\nl: 0\n\n",
	},
	{
		RFC: "4475", Section: "3.3.13", Name: "cparam02", Want: Relayed, Registrar: "200 sip:+19725552222@gw1.example.net;unknownparam", Reads: "contacts=sip:+19725552222@gw1.example.net;unknownparam", Note: "an unknown parameter of the URI in Contact is kept with it",
		own: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: sip:watson@example.com;tag=838293\nTo: sip:watson@example.com\n" +
			"Call-ID: own.70710@saturn.example.com\nCSeq: 3 REGISTER\nContact: <sip:+19725552222@gw1.example.net;unknownparam>\nl: 0\n\n",
	},
	{RFC: "4475", Section: "3.3.14", Name: "regescrt", Want: Relayed, Registrar: "200 sip:user@example.com?Route=%3Csip:sip.example.com%3E", Reads: "contacts=sip:user@example.com?Route=%3Csip:sip.example.com%3E", Note: "a Contact's header fields are kept with it, and no request has them in its URI"},
	{
		RFC: "4475", Section: "3.3.15", Name: "sdp01", Want: Relayed, Note: "the callee refuses an Accept that it cannot meet",
		own: "INVITE sip:user@example.com SIP/2.0\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bK-39234-23523\nMax-Forwards: 70\nFrom: <sip:caller@example.net>;tag=abc\nTo: <sip:user@example.com>\n" +
			"Call-ID: own.ab9v\nCSeq: 8 INVITE\nAccept: text/nobodyKnowsThis\nContent-Length: 0\n\n",
	},
	{RFC: "4475", Section: "3.4.1", Name: "inv2543", Want: Relayed, Reads: "forwards=; fromtag=; vias=UDP/iftgw.example.com; body=105", Note: "a request of RFC 2543: no cookie, no tag, no Max-Forwards, which it gets"},
	{
		RFC: "5118", Section: "4.1", Name: "ipv6-good", Want: Relayed, Registrar: "200 sip:caller@[2001:db8::1]", Reads: "host=[2001:db8::10]; port=0", Note: "IPv6 in brackets",
		own: "REGISTER sip:[2001:db8::10] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\n" +
			"Call-ID: own.SSG9559905523997077@[2001:db8::9:1]\nMax-Forwards: 70\nContact: \"Caller\" <sip:caller@[2001:db8::1]>\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
	},
	{RFC: "5118", Section: "4.2", Name: "ipv6-bad", Want: "400 Bad Request-URI", Registrar: "400", Note: "IPv6 without brackets"},
	{
		RFC: "5118", Section: "4.3", Name: "port-ambiguous", Want: Relayed, Registrar: "200", Reads: "host=[2001:db8::10:5070]; port=0", Note: "what looks like a port inside the brackets is none",
		own: "REGISTER sip:[2001:db8::10:5070] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\n" +
			"Call-ID: own.SSG9559905523997077@[2001:db8::9:1]\nMax-Forwards: 70\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
	},
	{RFC: "5118", Section: "4.4", Name: "port-unambiguous", Want: Relayed, Registrar: "200 sip:caller@[2001:db8::1]", Reads: "host=[2001:db8::10]; port=5070", Note: "a port behind the brackets"},
	{RFC: "5118", Section: "4.5", Name: "via-received-param-no-delim", Want: Relayed, Reads: "vias=UDP/[2001:db8::9:1]/2001:db8::9:255", Note: "received without brackets, which is right by the grammar; what a sender claims there is put right"},
	{
		RFC: "5118", Section: "4.5", Name: "via-received-param-with-delim", Want: Relayed, Reads: "vias=UDP/[2001:db8::9:1]/[2001:db8::9:255] UDP/192.0.2.5", Note: "received with brackets, which many send; the same",
		own: "OPTIONS sip:[2001:db8::10] SIP/2.0\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3\n" + ownHead + "Content-Length: 0\n\n",
	},
	{RFC: "5118", Section: "4.6", Name: "ipv6-in-sdp", Want: Relayed, Reads: "sdp=IN IP6 2001:db8::20", Note: "IPv6 in the session description"},
	{RFC: "5118", Section: "4.7", Name: "mult-ip-in-header", Want: Relayed, Reads: "vias=UDP/[2001:db8::9:1]:6050 UDP/192.0.2.1 TCP/[2001:db8::9:255]/192.0.2.200", Note: "both families in the header"},
	{RFC: "5118", Section: "4.8", Name: "mult-ip-in-sdp", Want: Relayed, Reads: "sdp=IN IP4 192.0.2.1, IN IP6 2001:db8::1", Note: "both families in the session description"},
	{RFC: "5118", Section: "4.9", Name: "ipv4-mapped-ipv6", Want: Relayed, Reads: "vias=UDP/[::ffff:192.0.2.10]:19823 UDP/[::ffff:192.0.2.2]; sdp=IN IP6 ::ffff:192.0.2.2", Note: "IPv4 in IPv6"},
	{
		RFC: "5118", Section: "4.10", Name: "ipv6-bug-abnf-3-colons", Want: Relayed, Reads: "host=[2001:db8:::192.0.2.1]; port=0", Note: "three colons, as RFC 3261's grammar made them",
		own: "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
	{
		RFC: "5118", Section: "4.10", Name: "ipv6-bug-abnf-2-colons", Want: Relayed, Reads: "host=[2001:db8::192.0.2.1]; port=0", Note: "two colons, as RFC 5954 mended it",
		own: "OPTIONS sip:user@[2001:db8::192.0.2.1] SIP/2.0\n" + ownHead + "Content-Length: 0\n\n",
	},
}
