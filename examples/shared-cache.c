/* SPDX-License-Identifier: MIT */
/*
 * shared-cache.c - one cache for several processes, held before anybody depends on it
 *
 *	cc shared-cache.c $(pkg-config --cflags --libs hresv) && ./a.out
 *
 * The parent reserves, all or nothing. A child that knows nothing of the parent's memory gets the
 * descriptor over a socket, and maps its part.
 */
#include <hresv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define BYTES (8 * MIB)

static int send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static int worker(int socket)
{
	struct hresv_reservation *cache;
	int fd = receive_fd(socket), err = hresv_reservation_open(fd, &cache);
	void *at;

	if (!err)
		err = hresv_map(cache, 0, 0, 0, &at);
	if (err) {
		fprintf(stderr, "worker: %s\n", hresv_strerror(err));
		return 1;
	}
	close(fd);
	strcpy(at, "written by the worker");
	printf("worker: %zu MiB huge\n", hresv_huge_bytes(at, BYTES) / MIB);
	hresv_release(cache);
	return 0;
}

int main(void)
{
	struct hresv_want want = { .bytes = BYTES };
	struct hresv_reservation *cache;
	int pair[2], status, err;
	char why[400];
	void *at;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 1;
	pid = fork();
	if (pid == 0)
		return worker(pair[1]);
	close(pair[1]);
	err = hresv_reserve(&want, &cache);
	if (err) {
		hresv_explain(err, 0, why, sizeof(why));
		fprintf(stderr, "no cache: %s\n", why);
		return 1;
	}
	if (hresv_map(cache, 0, 0, 0, &at) != 0 || send_fd(pair[0], hresv_reservation_fd(cache)) != 0)
		return 1;
	waitpid(pid, &status, 0);
	printf("parent: %s\n", (const char *)at);
	hresv_unmap(cache, at, BYTES);
	hresv_release(cache);
	return status ? 1 : 0;
}
