/* Dumps and restores one connection on loopback by CRIU's libsoccr, again and again,
 * with bytes in its queues, and prints the medians as Go's benchmarks do.
 *
 *     soccr IN OUT ROUNDS
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "soccr.h"

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* namespace makes one whose loopback is up. */
static void namespace(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;
	must(unshare(CLONE_NEWNET) == 0, "unshare");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &req) == 0, "raise loopback");
	close(fd);
}

static void buffer(int fd, int which, int size)
{
	must(setsockopt(fd, SOL_SOCKET, which, &size, sizeof(size)) == 0, "buffer");
}

/* fill writes as much as goes without waiting. */
static void fill(int fd, size_t n)
{
	char *b = calloc(1, n + 1);
	while (n > 0) {
		ssize_t m = send(fd, b, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (m <= 0)
			break;
		n -= m;
	}
	free(b);
}

/* queued connects to itself; here's queues hold that many bytes. */
static int queued(size_t in, size_t out)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0), peer = socket(AF_INET, SOCK_STREAM, 0), here, unread = 0, i;
	must(bind(l, (struct sockaddr *)&at, len) == 0 && listen(l, 1) == 0, "listen");
	must(getsockname(l, (struct sockaddr *)&at, &len) == 0, "getsockname");
	must(connect(peer, (struct sockaddr *)&at, len) == 0, "connect");
	here = accept(l, NULL, NULL);
	must(here >= 0, "accept");
	close(l);
	buffer(peer, SO_SNDBUFFORCE, 8 << 20);
	buffer(here, SO_SNDBUFFORCE, 8 << 20);
	buffer(here, SO_RCVBUFFORCE, 8 << 20);
	for (i = 0; i < 5000 && (size_t)unread < in; i++) {
		fill(peer, i ? 0 : in);
		usleep(1000);
		must(ioctl(here, FIONREAD, &unread) == 0, "unread");
	}
	must((size_t)unread == in, "fill receive queue");
	buffer(peer, SO_RCVBUF, 4096);
	fill(here, out);
	usleep(10000);
	return here;
}

static void quiet(unsigned int level, const char *format, ...)
{
	(void)level, (void)format;
}

static int move(int fd, double *dump, double *restore)
{
	struct libsoccr_sk_data data;
	union libsoccr_addr self = { 0 }, peer = { 0 };
	socklen_t len = sizeof(self.v4);
	struct libsoccr_sk *h;
	char *in, *out;
	int yes = 1;
	double t = now();

	must((h = libsoccr_pause(fd)) != NULL, "pause");
	must(libsoccr_save(h, &data, sizeof(data)) == sizeof(data), "save");
	in = libsoccr_get_queue_bytes(h, TCP_RECV_QUEUE, SOCCR_MEM_EXCL);
	out = libsoccr_get_queue_bytes(h, TCP_SEND_QUEUE, SOCCR_MEM_EXCL);
	must(getsockname(fd, &self.sa, &len) == 0 && getpeername(fd, &peer.sa, &len) == 0, "addresses");
	libsoccr_release(h);
	close(fd);
	*dump = now() - t;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	must(fd >= 0, "socket");
	t = now();
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0, "SO_REUSEADDR");
	buffer(fd, SO_SNDBUFFORCE, (1 << 30) - 1);
	buffer(fd, SO_RCVBUFFORCE, (1 << 30) - 1);
	must((h = libsoccr_pause(fd)) != NULL, "pause");
	libsoccr_set_addr(h, 1, &self, 0);
	libsoccr_set_addr(h, 0, &peer, 0);
	libsoccr_set_queue_bytes(h, TCP_RECV_QUEUE, in, SOCCR_MEM_EXCL);
	libsoccr_set_queue_bytes(h, TCP_SEND_QUEUE, out, SOCCR_MEM_EXCL);
	must(libsoccr_restore(h, &data, sizeof(data)) == 0, "restore");
	libsoccr_resume(h);
	*restore = now() - t;
	return fd;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *list, int n)
{
	qsort(list, n, sizeof(*list), order);
	return list[n / 2];
}

int main(int argc, char **argv)
{
	int i, n = argc == 4 ? atoi(argv[3]) : 0, fd;
	double *dumps = calloc(n + 1, sizeof(double)), *restores = calloc(n + 1, sizeof(double)), *totals = calloc(n + 1, sizeof(double));

	if (n < 1) {
		fprintf(stderr, "usage: soccr IN OUT ROUNDS\n");
		return 2;
	}
	libsoccr_set_log(0, quiet);
	namespace();
	fd = queued(atol(argv[1]), atol(argv[2]));
	for (i = 0; i < n; i++) {
		fd = move(fd, &dumps[i], &restores[i]);
		totals[i] = dumps[i] + restores[i];
	}
	printf("BenchmarkSoccr %d %.2f dump-us %.2f restore-us %.2f total-us\n", n, median(dumps, n), median(restores, n), median(totals, n));
	return 0;
}
