// A phone in a page: it registers by the browser's own WebSocket, answers calls, and notes what
// it heard. It knows just so much of SIP as that takes.
function phone(url, user) {
  const socket = new WebSocket(url, "sip"), heard = [];
  const field = (m, name) => m.split("\r\n").filter(l => l.toLowerCase().startsWith(name + ":")).join("\r\n");
  const answer = (m, status, more) => {
    const to = field(m, "to");
    socket.send(["SIP/2.0 " + status, field(m, "via"), field(m, "record-route"), field(m, "from"), to.includes("tag=") ? to : to + ";tag=p" + user,
      field(m, "call-id"), field(m, "cseq"), ...more, "Content-Length: 0"].filter(l => l).join("\r\n") + "\r\n\r\n");
  };
  const contact = "Contact: <sip:" + user + "@df7jal23ls0d.invalid;transport=ws>";
  socket.onopen = () => socket.send(["REGISTER sip:example.com SIP/2.0", "Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKreg", "Max-Forwards: 70",
    "From: <sip:" + user + "@example.com>;tag=r", "To: <sip:" + user + "@example.com>", "Call-ID: page-" + user, "CSeq: 1 REGISTER",
    contact + ";expires=600", "Content-Length: 0"].join("\r\n") + "\r\n\r\n");
  socket.onmessage = event => {
    const m = event.data, first = m.split("\r\n")[0].split(" ");
    heard.push(first[0] === "SIP/2.0" ? first[1] : first[0]);
    if (first[0] === "INVITE") {
      answer(m, "180 Ringing", [contact]);
      answer(m, "200 OK", [contact]);
    } else if (first[0] === "BYE") {
      answer(m, "200 OK", []);
    }
  };
  socket.onclose = event => heard.push("closed " + event.code);
  return { heard, socket };
}
