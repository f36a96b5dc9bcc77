/* Threads that make system calls of their own, each on a descriptor of its own; the argument says how many. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int fds[64];

static void *work(void *arg)
{
    char text[64];
    int fd = fds[(long)arg];
    for (int i = 0; i < 23; i++) {
        if (read(fd, text, sizeof(text)) != sizeof(text) || lseek(fd, i, SEEK_SET) != 0)
            abort();
        getppid();
    }
    return write(1, "done\n", 5) == 5 ? arg : NULL;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1;
    pthread_t threads[64];
    if (count < 1 || count > 64)
        return 2;
    for (long i = 0; i < count; i++)
        if ((fds[i] = open("/dev/zero", O_RDONLY)) < 0)
            return 1;
    for (long i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i))
            return 1;
    for (long i = 0; i < count; i++)
        if (pthread_join(threads[i], NULL))
            return 1;
    return 0;
}
