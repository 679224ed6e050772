/** Where an instance's root volume is: never free, since nothing runs without one. */
const ROOT_DEVICES = /^\/dev\/(sda1?|xvda)$/;
/** @see Amazon EC2 user guide, "Device names for volumes on Amazon EC2 instances" */
const DEVICE_NAME = /^\/dev\/(sd[a-z]([1-9]|1[0-5])?|xvd[a-z]|xvd[a-d][a-z]|hd[a-z]([1-9]|1[0-5])?)$/;

export const isDeviceName = (device: string): boolean => DEVICE_NAME.test(device);
export const isRootDevice = (device: string): boolean => ROOT_DEVICES.test(device);
