/* SPDX-License-Identifier: MIT */
/*
 * prog-signals.c - says in words what every call about masks and actions answers
 *
 * With a child that shares its memory beside it, on a pool without a page to spare
 * and HUGETLB_FORK=share, each write below needs the net; a step that leaves SIGBUS
 * really blocked is the last one. Without us it says the same and needs nothing.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE ((size_t)2 << 20)
#define PAGES 40

extern char **environ;
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* <signal.h> has another by this name. */
extern int bsd_sigpause(int mask) __asm__("sigpause");
extern int xpg_sigpause(int number) __asm__("__xpg_sigpause");

static char *memory;
static size_t next_page;
static volatile sig_atomic_t calls, bus_in_context, bus_in_mask, segv_in_context;
static volatile sig_atomic_t unblock_in_context;

static int has(int number)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, number);
}

static int is_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGBUS);
}

/*
 * The next page that is shared with the child gets its first write. The net is off
 * in a thread while it has something pending.
 */
static void touch(void)
{
	if (next_page < PAGES && !is_pending())
		memory[next_page++ * PAGE] = 1;
}

static void say(const char *what, long value)
{
	const int error = value < 0 ? errno : 0;

	touch();
	printf("%s: %ld %s, %d calls, bus %s\n", what, value, error ? strerror(error) : "-",
	       (int)calls, has(SIGBUS) ? "blocked" : "open");
	calls = 0;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
	(void)info;
	calls++;
	bus_in_context = sigismember(&uc->uc_sigmask, SIGBUS);
	segv_in_context = sigismember(&uc->uc_sigmask, SIGSEGV);
	bus_in_mask = has(SIGBUS);
	if (unblock_in_context)
		sigdelset(&uc->uc_sigmask, SIGSEGV);
	touch();
}

static void handle(int number)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(number, &action, NULL);
}

static sigset_t only(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

static void systems_v_and_bsd(void)
{
	struct sigaction old;

	say("sighold", sighold(SIGBUS));
	say("sighold usr1", sighold(SIGUSR1));
	say("siggetmask", siggetmask());
	say("sigrelse", sigrelse(SIGBUS));
	say("sigset", sigset(SIGBUS, SIG_DFL) == SIG_DFL);
	say("sigset hold", sigset(SIGBUS, SIG_HOLD) == SIG_DFL);
	say("sigset held", sigset(SIGBUS, SIG_DFL) == SIG_HOLD);
	say("sigblock", sigblock(1 << (SIGBUS - 1) | 1 << (SIGSEGV - 1)));
	say("sigsetmask", sigsetmask(1 << (SIGBUS - 1)));
	say("sigsetmask back", sigsetmask(0));
	say("sigignore", sigignore(SIGBUS));
	say("ignored", signal(SIGBUS, SIG_DFL) == SIG_IGN);
	say("sighold of none", sighold(999));
	say("sigset of none", sigset(SIGKILL, SIG_IGN) == SIG_ERR);
	say("siginterrupt", siginterrupt(SIGBUS, 1));
	signal(SIGBUS, SIG_IGN);
	sigaction(SIGBUS, NULL, &old);
	say("restarts", (old.sa_flags & SA_RESTART) != 0);
	say("siginterrupt off", siginterrupt(SIGBUS, 0));
	signal(SIGBUS, SIG_DFL);
	sigaction(SIGBUS, NULL, &old);
	say("restarts again", (old.sa_flags & SA_RESTART) != 0);
}

static void send_while_blocked(void)
{
	sighold(SIGBUS);
	kill(getpid(), SIGBUS);
}

static void waits(void)
{
	const struct timespec moment = { 0, 20000000 };
	sigset_t none, bus = only(SIGBUS), usr1 = only(SIGUSR1), all_but;
	int ring = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	sigemptyset(&none);
	sigfillset(&all_but);
	sigdelset(&all_but, SIGUSR1);
	handle(SIGBUS);
	handle(SIGUSR1);

	send_while_blocked();
	say("sent", is_pending());
	say("ppoll with it blocked", ppoll(NULL, 0, &moment, &bus));
	say("ppoll", ppoll(NULL, 0, &moment, &none));
	say("pending", is_pending());
	send_while_blocked();
	say("pselect", pselect(0, NULL, NULL, NULL, &moment, &none));
	send_while_blocked();
	say("epoll_pwait", epoll_pwait(ring, &event, 1, 20, &none));
	send_while_blocked();
	say("epoll_pwait2", epoll_pwait2(ring, &event, 1, &moment, &none));
	send_while_blocked();
	say("sigsuspend", sigsuspend(&none));
	send_while_blocked();
	say("sigpause", xpg_sigpause(SIGBUS));
	send_while_blocked();
	say("bsd sigpause", bsd_sigpause(0));
	sigrelse(SIGBUS);
	say("nothing left", ppoll(NULL, 0, &moment, &none));

	/* A handler that runs while everything else waits blocked has the net. */
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	say("sigsuspend for another", sigsuspend(&all_but));
	say("bus in its context", bus_in_context);
	say("bus in its mask", bus_in_mask);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);

	send_while_blocked();
	say("sigtimedwait", sigtimedwait(&bus, NULL, &moment));
	say("sigtimedwait for nothing", sigtimedwait(&bus, NULL, &moment));
	send_while_blocked();
	say("sigwaitinfo", sigwaitinfo(&bus, NULL));
	sigrelse(SIGBUS);
	close(ring);
}

static void contexts(void)
{
	handle(SIGBUS);
	sighold(SIGSEGV);
	raise(SIGBUS);
	say("context of a handler", segv_in_context);
	say("segv", has(SIGSEGV));
	unblock_in_context = 1;
	raise(SIGBUS);
	unblock_in_context = 0;
	say("context changed", segv_in_context);
	say("segv", has(SIGSEGV));
}

static void by_number(void)
{
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &(sigset_t){ { 1u << (SIGBUS - 1) } }, NULL, 8);
	say("by number", 0);
	sigrelse(SIGBUS);
}

static volatile int waiting;

/* A moment after it said so it does. */
static void wait_until_it_waits(void)
{
	while (!waiting)
		usleep(1000);
	usleep(50000);
	waiting = 0;
}

static void *waiter(void *arg)
{
	sigset_t bus = only(SIGBUS);
	siginfo_t info = { 0 };

	(void)arg;
	touch();
	waiting = 1;
	return (void *)(intptr_t)(has(SIGBUS) * 1000 + sigwaitinfo(&bus, &info) +
				  (info.si_code == SI_USER) * 100);
}

static void *reader(void *arg)
{
	struct signalfd_siginfo info;

	touch();
	waiting = 1;
	if (read(*(int *)arg, &info, sizeof(info)) != sizeof(info))
		return NULL;
	return (void *)(intptr_t)info.ssi_signo;
}

static void *shows_mask(void *arg)
{
	touch();
	return (void *)(intptr_t)(has(SIGBUS) + (arg ? 0 : 2 * has(SIGUSR2)));
}

static void threads(void)
{
	sigset_t all, bus = only(SIGBUS), none;
	pthread_attr_t attr;
	pthread_t thread;
	void *got;
	int fd;

	sigfillset(&all);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	pthread_create(&thread, NULL, waiter, NULL);
	wait_until_it_waits();
	kill(getpid(), SIGBUS);
	pthread_join(thread, &got);
	say("a thread that waits", (long)(intptr_t)got);
	fd = signalfd(-1, &bus, SFD_CLOEXEC);
	pthread_create(&thread, NULL, reader, &fd);
	wait_until_it_waits();
	kill(getpid(), SIGBUS);
	pthread_join(thread, &got);
	say("a thread that reads", (long)(intptr_t)got);
	close(fd);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	pthread_create(&thread, &attr, shows_mask, NULL);
	pthread_join(thread, &got);
	say("a thread with a mask of its own", (long)(intptr_t)got);
	pthread_create(&thread, NULL, shows_mask, NULL);
	pthread_join(thread, &got);
	say("a thread without", (long)(intptr_t)got);
}

static void ended(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	say("status", status);
	fflush(stdout);
}

#define SHOW "grep", "-E", "SigBlk|SigIgn", "/proc/self/status"

static void programs(void)
{
	char *const argv[] = { (char *)"grep", (char *)"-E", (char *)"SigBlk|SigIgn",
			       (char *)"/proc/self/status", NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;

	sigemptyset(&none);
	fflush(stdout);
	sighold(SIGBUS);
	if ((pid = fork()) == 0) {
		execlp("grep", SHOW, (char *)NULL);
		_exit(1);
	}
	ended(pid);
	if ((pid = vfork()) == 0) {
		sighold(SIGSEGV);
		sigrelse(SIGBUS);
		signal(SIGBUS, SIG_IGN);
		execvp("grep", argv);
		_exit(1);
	}
	ended(pid);
	say("segv after vfork", has(SIGSEGV));
	say("action after vfork", signal(SIGBUS, SIG_DFL) != SIG_IGN);
	fflush(stdout);
	posix_spawnp(&pid, "grep", NULL, NULL, argv, environ);
	ended(pid);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnp(&pid, "grep", NULL, &attr, argv, environ);
	ended(pid);
	sigrelse(SIGBUS);
	signal(SIGBUS, SIG_IGN);
	if ((pid = fork()) == 0) {
		execl("/nowhere", "nowhere", (char *)NULL);
		touch();
		execle("/bin/grep", SHOW, (char *)NULL, environ);
		_exit(1);
	}
	ended(pid);
	signal(SIGBUS, SIG_DFL);
}

int main(void)
{
	int stop[2];
	char c;

	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 0, PAGES * PAGE);
	if (pipe(stop))
		return 1;
	if (fork() == 0) {
		close(stop[1]);
		_exit(read(stop[0], &c, 1) != 0);
	}
	close(stop[0]);
	systems_v_and_bsd();
	waits();
	contexts();
	by_number();
	next_page = next_page < PAGES - 16 ? next_page : PAGES - 16;
	threads();
	programs();
	close(stop[1]);
	wait(NULL);
	return 0;
}
