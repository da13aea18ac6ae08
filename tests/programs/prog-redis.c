/* SPDX-License-Identifier: MIT */
/*
 * prog-redis.c - clients of a Redis server that overwrite every key while it saves
 *
 *	prog-redis PORT KEYS set LETTER		every key gets LETTER's value
 *	prog-redis PORT KEYS check LETTER	every key has it, or how many have not
 *	prog-redis PORT KEYS ask WORD...	one command, its answer on standard output
 *	prog-redis PORT KEYS wait FIELD VALUE	until INFO persistence says so
 *	prog-redis PORT KEYS save COMMAND LETTER
 *
 * save: COMMAND (bgsave, bgrewriteaof), and from then on, until it is over and at
 * least once, every key is given LETTER's value by one client, 16 at a time and in
 * an order that jumps about; another sets one key again and again and notes how
 * long that took. It says in one line: how long the fork took, keys set in a second
 * meanwhile, the longest wait of either client, and how long the save took.
 *
 * Any answer that is an error ends it with status 1 and the words of the server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define VALUE_BYTES ((size_t)1017)	/* with Redis' own header 1 KiB of memory */
#define DEPTH 16
#define BUFFER ((size_t)1 << 20)
#define PATIENCE_SECS 120.0

struct client {
	int fd;
	char *out;
	size_t out_bytes;
	char *in;
	size_t got, taken;
};

static int port;
static unsigned long keys;
static atomic_bool over;

__attribute__((noreturn, format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct client connect_one(void)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };

	if (c.fd < 0 || connect(c.fd, (const struct sockaddr *)&to, sizeof(to)))
		wrong("connect: %s", strerror(errno));
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c.out = malloc(BUFFER);
	c.in = malloc(BUFFER);
	return c;
}

static void add(struct client *c, const char *bytes, size_t n)
{
	if (c->out_bytes + n > BUFFER)
		wrong("too much at once");
	memcpy(c->out + c->out_bytes, bytes, n);
	c->out_bytes += n;
}

static void add_count(struct client *c, char kind, size_t n)
{
	char text[32];

	add(c, text, (size_t)snprintf(text, sizeof(text), "%c%zu\r\n", kind, n));
}

static void add_word(struct client *c, const char *word, size_t bytes)
{
	add_count(c, '$', bytes);
	add(c, word, bytes);
	add(c, "\r\n", 2);
}

static void send_all(struct client *c)
{
	for (size_t sent = 0; sent < c->out_bytes;) {
		ssize_t n = send(c->fd, c->out + sent, c->out_bytes - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			wrong("send: %s", strerror(errno));
		sent += n > 0 ? (size_t)n : 0;
	}
	c->out_bytes = 0;
}

static void fill(struct client *c)
{
	ssize_t n;

	if (c->taken) {
		memmove(c->in, c->in + c->taken, c->got - c->taken);
		c->got -= c->taken;
		c->taken = 0;
	}
	n = recv(c->fd, c->in + c->got, BUFFER - c->got, 0);
	if (n == 0)
		wrong("the server has hung up");
	if (n < 0 && errno != EINTR)
		wrong("recv: %s", strerror(errno));
	c->got += n > 0 ? (size_t)n : 0;
}

/* One line without its end; it stays until the next is asked for. */
static char *line(struct client *c)
{
	char *end, *begin;

	while (!(end = memmem(c->in + c->taken, c->got - c->taken, "\r\n", 2)))
		fill(c);
	*end = '\0';
	begin = c->in + c->taken;
	c->taken = (size_t)(end + 2 - c->in);
	return begin;
}

/* The answer's bytes, NULL: there is no such key. */
static char *answer(struct client *c, size_t *ret_bytes)
{
	char *text = line(c), *begin;
	long bytes;

	if (*text == '-')
		wrong("%s", text);
	*ret_bytes = strlen(text);
	if (*text != '$')
		return text;
	bytes = strtol(text + 1, NULL, 10);
	if (bytes < 0)
		return NULL;
	while (c->got - c->taken < (size_t)bytes + 2)
		fill(c);
	begin = c->in + c->taken;
	begin[bytes] = '\0';
	c->taken += (size_t)bytes + 2;
	*ret_bytes = (size_t)bytes;
	return begin;
}

static void make_value(char letter, unsigned long i, char *ret_value)
{
	char part[32];
	const size_t n = (size_t)snprintf(part, sizeof(part), "%c%08lu", letter, i);

	for (size_t at = 0; at < VALUE_BYTES; at++)
		ret_value[at] = part[at % n];
}

static void add_set(struct client *c, char letter, unsigned long i)
{
	char key[32], value[VALUE_BYTES];

	make_value(letter, i, value);
	add_count(c, '*', 3);
	add_word(c, "set", 3);
	add_word(c, key, (size_t)snprintf(key, sizeof(key), "key:%lu", i));
	add_word(c, value, VALUE_BYTES);
}

/* Every key once, for a step that has no common divisor with their number. */
static unsigned long jump(unsigned long turn)
{
	return (unsigned long)((unsigned __int128)turn * 2147483647u % keys);
}

/* Sets @n keys from @turn on; the time it took. */
static double set_some(struct client *c, char letter, unsigned long turn, unsigned long n)
{
	double begin;
	size_t bytes;

	for (unsigned long i = 0; i < n; i++)
		add_set(c, letter, jump((turn + i) % keys));
	begin = now();
	send_all(c);
	for (unsigned long i = 0; i < n; i++)
		if (strcmp(answer(c, &bytes), "+OK") != 0)
			wrong("an answer that is not OK");
	return now() - begin;
}

static void set_all(char letter)
{
	struct client c = connect_one();

	for (unsigned long turn = 0; turn < keys; turn += 256)
		set_some(&c, letter, turn, keys - turn < 256 ? keys - turn : 256);
}

static void check_all(char letter)
{
	struct client c = connect_one();
	unsigned long bad = 0, first = 0;
	char key[32], value[VALUE_BYTES];
	size_t bytes;

	for (unsigned long lo = 0; lo < keys; lo += 256) {
		unsigned long hi = keys - lo < 256 ? keys : lo + 256;

		for (unsigned long i = lo; i < hi; i++) {
			add_count(&c, '*', 2);
			add_word(&c, "get", 3);
			add_word(&c, key, (size_t)snprintf(key, sizeof(key), "key:%lu", i));
		}
		send_all(&c);
		for (unsigned long i = lo; i < hi; i++) {
			char *got = answer(&c, &bytes);

			make_value(letter, i, value);
			if (got && bytes == VALUE_BYTES && memcmp(got, value, bytes) == 0)
				continue;
			first = bad++ ? first : i;
		}
	}
	if (bad)
		wrong("%lu wrong keys, first %lu", bad, first);
}

static char *ask(struct client *c, char *const *words, size_t n)
{
	size_t bytes;

	add_count(c, '*', n);
	for (size_t i = 0; i < n; i++)
		add_word(c, words[i], strlen(words[i]));
	send_all(c);
	return answer(c, &bytes);
}

/* A field of INFO, in memory that lasts until the next answer. */
static const char *info(struct client *c, const char *section, const char *field)
{
	char *const words[] = { (char *)"info", (char *)(uintptr_t)section };
	char *text = ask(c, words, 2), *at = strstr(text, field), *end;

	if (!at || at[strlen(field)] != ':')
		wrong("no %s", field);
	at += strlen(field) + 1;
	end = strchr(at, '\r');
	if (end)
		*end = '\0';
	return at;
}

static void wait_for(struct client *c, const char *field, const char *value)
{
	const double end = now() + PATIENCE_SECS;

	while (strcmp(info(c, "persistence", field), value) != 0) {
		if (now() > end)
			wrong("waited in vain for %s", field);
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
}

struct writer {
	char letter;
	unsigned long set;
	double longest, secs;
};

static void *overwrite(void *arg)
{
	struct writer *w = arg;
	struct client c = connect_one();
	const double begin = now();
	unsigned long done;

	for (done = 0; done < keys || !over; done += DEPTH) {
		double took = set_some(&c, w->letter, done % keys, DEPTH);

		w->longest = took > w->longest ? took : w->longest;
		if (!over) {
			w->set = done + DEPTH;
			w->secs = now() - begin;
		}
	}
	return NULL;
}

static void *probe(void *arg)
{
	struct writer *w = arg;
	struct client c = connect_one();
	char *const words[] = { (char *)"set", (char *)"probe", (char *)"x" };

	while (!over) {
		double begin = now(), took;

		ask(&c, words, 3);
		took = now() - begin;
		w->longest = took > w->longest ? took : w->longest;
		w->set++;
		nanosleep(&(struct timespec){ 0, 200000 }, NULL);
	}
	return NULL;
}

/*
 * Free memory that the machine has not used for a while may be the host's, and then
 * costs milliseconds a page. Half as much again as a copy of everything takes.
 */
static void warm_memory(void)
{
	const size_t bytes = keys * 1536;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return;
	madvise(at, bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < bytes; i += 4096)
		((volatile char *)at)[i] = 1;
	munmap(at, bytes);
}

static void save(char *command, char letter)
{
	const bool rewrites = strcmp(command, "bgrewriteaof") == 0;
	const char *busy = rewrites ? "aof_rewrite_in_progress" : "rdb_bgsave_in_progress";
	const char *status = rewrites ? "aof_last_bgrewrite_status" : "rdb_last_bgsave_status";
	struct writer writer = { .letter = letter }, prober = { 0 };
	struct client c = connect_one();
	pthread_t writes, probes;
	double begin;

	if (rewrites)
		wait_for(&c, "aof_rewrite_scheduled", "0");
	warm_memory();
	pthread_create(&probes, NULL, probe, &prober);
	begin = now();
	ask(&c, &command, 1);
	pthread_create(&writes, NULL, overwrite, &writer);
	wait_for(&c, busy, "0");
	if (strcmp(info(&c, "persistence", status), "ok") != 0)
		wrong("%s: %s", status, info(&c, "persistence", status));
	over = true;
	begin = now() - begin;
	pthread_join(writes, NULL);
	pthread_join(probes, NULL);
	printf("fork_us %s set_per_s %.0f longest_ms %.1f longest_of_16_ms %.1f secs %.2f\n",
	       info(&c, "stats", "latest_fork_usec"), (double)writer.set / writer.secs,
	       prober.longest * 1e3, writer.longest * 1e3, begin);
}

int main(int argc, char **argv)
{
	struct client c;

	if (argc < 5)
		return 2;
	port = atoi(argv[1]);
	keys = strtoul(argv[2], NULL, 0);
	if (strcmp(argv[3], "set") == 0) {
		set_all(*argv[4]);
	} else if (strcmp(argv[3], "check") == 0) {
		check_all(*argv[4]);
	} else if (strcmp(argv[3], "save") == 0 && argc == 6) {
		save(argv[4], *argv[5]);
	} else if (strcmp(argv[3], "wait") == 0 && argc == 6) {
		c = connect_one();
		wait_for(&c, argv[4], argv[5]);
	} else if (strcmp(argv[3], "ask") == 0) {
		c = connect_one();
		puts(ask(&c, argv + 4, (size_t)argc - 4));
	} else {
		return 2;
	}
	return 0;
}
