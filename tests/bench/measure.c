/*
 * measure - run a command and note what it cost.
 *
 *   measure run FILE NAME PID OUT COMMAND...      appends `NAME wall cpu rss load` to FILE
 *   measure watch FILE NAME PID OUT COMMAND...    appends `NAME peak` to FILE
 *
 * run: seconds, seconds, MiB (the largest process of the command's, as wait4 tells), the load average before.
 * The CPU time of process PID and of its ended children is added: the part of the work that gbackupd does.
 * PID 0: no such process.
 *
 * watch: the largest VmHWM, in MiB, that a child of PID reached meanwhile.  Looking costs time, so this is
 * never the run whose time counts.
 *
 * In C because a new process inherits the peak of the one that starts it: from a script every command would
 * seem to need ten MiB.  Exits with the command's status.
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap(long ms)
{
        struct timespec t = {0, ms * 1000000};

        nanosleep(&t, NULL);
}

static pid_t start(char **command, const char *out)
{
        posix_spawn_file_actions_t actions;
        pid_t pid;

        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0)
                errx(127, "cannot run %s", command[0]);
        posix_spawn_file_actions_destroy(&actions);
        return pid;
}

/* Seconds that a process and its ended children used. */
static double cpu_of(int pid)
{
        unsigned long own_user, own_system;
        long user, system;
        char name[64], text[1024];
        const char *at;
        size_t n;
        FILE *f;

        snprintf(name, sizeof(name), "/proc/%d/stat", pid);
        f = pid ? fopen(name, "r") : NULL;
        if (!f)
                return 0;
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[n] = '\0';
        at = strrchr(text, ')');
        if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &own_user,
                          &own_system, &user, &system) != 4)
                return 0;
        return (double)(own_user + own_system + (unsigned long)user + (unsigned long)system) /
               (double)sysconf(_SC_CLK_TCK);
}

static long peak_of(int pid)
{
        char name[64], line[256];
        long kib = 0;
        FILE *f;

        snprintf(name, sizeof(name), "/proc/%d/status", pid);
        f = fopen(name, "r");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "VmHWM: %ld", &kib) == 1)
                        break;
        if (f)
                fclose(f);
        return kib;
}

static long peak_of_children(int pid)
{
        char name[64];
        long kib, most = 0;
        int child;
        FILE *f;

        snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
        f = fopen(name, "r");
        while (f && fscanf(f, "%d", &child) == 1)
                if ((kib = peak_of(child)) > most)
                        most = kib;
        if (f)
                fclose(f);
        return most;
}

static int watch(FILE *to, const char *name, int pid, pid_t child)
{
        long kib, most = 0;
        int status;

        while (waitpid(child, &status, WNOHANG) == 0) {
                if ((kib = peak_of_children(pid)) > most)
                        most = kib;
                nap(1);
        }
        fprintf(to, "%s %.1f\n", name, (double)most / 1024);
        return status;
}

static double seconds(struct timeval t)
{
        return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
        double load = 0, cpu, begin, wall;
        struct rusage used;
        int pid, status;
        pid_t child;
        FILE *to;

        if (argc < 7 || (strcmp(argv[1], "run") && strcmp(argv[1], "watch")))
                errx(64, "usage: measure run|watch FILE NAME PID OUT COMMAND...");
        pid = atoi(argv[4]);
        to = fopen(argv[2], "ae");
        if (!to)
                err(1, "%s", argv[2]);
        getloadavg(&load, 1);
        cpu = cpu_of(pid);
        begin = now();
        child = start(argv + 6, argv[5]);
        if (argv[1][0] == 'w') {
                status = watch(to, argv[3], pid, child);
        } else {
                if (wait4(child, &status, 0, &used) < 0)
                        err(1, "wait4");
                wall = now() - begin;
                nap(pid ? 50 : 0); /* workers end after the client hung up */
                cpu = cpu_of(pid) - cpu + seconds(used.ru_utime) + seconds(used.ru_stime);
                fprintf(to, "%s %.4f %.3f %.1f %.2f\n", argv[3], wall, cpu, (double)used.ru_maxrss / 1024,
                        load);
        }
        if (fclose(to) != 0)
                err(1, "%s", argv[2]);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
