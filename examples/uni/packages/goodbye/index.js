/** A package that knows the global objects of mini programs, as most of those in node_modules do. */
const part = (task) =>
  new Promise((resolve) => {
    task.onOpen(() => task.close({ code: 4003, reason: 'goodbye', success: resolve }));
  });

export const goodbye = (url) => part(uni.connectSocket({ url, success() {} }));
export const goodbyeByWx = (url) => part(wx.connectSocket({ url, success() {} }));
